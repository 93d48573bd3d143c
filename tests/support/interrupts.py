"""Programs that are started as a shell starts its background jobs."""

# Before a command: it inherits SIGINT as ignored.
IGNORING_SIGINT = ("sh", "-c", 'trap "" INT; exec "$@"', "sh")
