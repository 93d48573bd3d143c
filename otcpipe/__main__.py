"""`python -m otcpipe` is the command line."""

from otcpipe.cli import app

app()
