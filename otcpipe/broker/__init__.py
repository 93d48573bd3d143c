"""Dramatiq and Redis."""
