"""Pages for people and a JSON API for programs, over HTTP: read-only, on the queries of the command line."""
