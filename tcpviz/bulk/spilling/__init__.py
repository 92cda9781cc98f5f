"""More packets than memory: flows dealt out to buckets on disk, each built alone."""
