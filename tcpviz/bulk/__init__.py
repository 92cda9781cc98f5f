"""Captures of millions of packets: columns instead of objects, equal to the scalar core."""

import os

# Numpy's linear algebra starts threads when it is imported; nobody here needs them, and a
# process with one thread can give its privileges up as a whole.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
