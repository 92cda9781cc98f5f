"""A capture's bytes as columns: one row for each segment, in memory or in windows on disk."""
