"""The state of servers and work: `otcpipe doctor`, and figures for Prometheus."""
