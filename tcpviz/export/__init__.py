"""What leaves the program: text, JSON, CSV."""
