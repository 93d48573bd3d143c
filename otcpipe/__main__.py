from otcpipe.cli import app

app()
