"""From a stored number back to its raw bytes, and the history of restatements."""
