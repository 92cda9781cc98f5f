"""tcpviz shows TCP as it happens: states of both ends, every segment, and the socket calls."""

__version__ = "0.1.0"
