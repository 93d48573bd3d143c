"""Text from outside: how files write rows, the bounds of input, and what may be shown."""
