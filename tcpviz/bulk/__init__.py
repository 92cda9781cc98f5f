"""Captures of millions of packets: columns instead of objects, equal to the scalar core."""
