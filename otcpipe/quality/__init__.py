"""Whether a partition is good enough."""
