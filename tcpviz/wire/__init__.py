"""Bytes to segments: link layers, IP, TCP and its options."""
