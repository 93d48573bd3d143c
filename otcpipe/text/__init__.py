"""Text from outside: how rows are written in it, its bounds, and what of it may be shown."""
