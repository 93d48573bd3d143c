"""What notebooks use: `otcpipe.read`, `otcpipe.tables` and `otcpipe.columns`."""
