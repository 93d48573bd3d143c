"""What is known of a symbol, a week or a venue, as rows: the same for the command line, pages and the API."""
