"""From a stored number back to its bytes, and the history of restatements."""
