"""S3 and PostgreSQL, and the form of what they store."""
