"""Volumes of all trading, imported from files: the denominators of off-exchange shares."""
