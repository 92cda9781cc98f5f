"""A busy link through a packet ring: every connection counted, as many as can be followed."""
