"""Dramatiq and Redis: the broker, its actors and middleware. No other package knows them."""
