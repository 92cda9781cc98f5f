"""Two capture points of the same connections: which segments are the same, and when they passed."""
