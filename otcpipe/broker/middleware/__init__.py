"""Dramatiq middleware, one class a module."""
