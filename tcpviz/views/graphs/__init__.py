"""The connection as curves over time: Stevens' and tcptrace's time-sequence graph and its kin."""
