"""S3 and PostgreSQL, and what is stored there."""
