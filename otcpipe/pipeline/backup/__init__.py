"""What must survive everything else: observations, imports and decisions in S3, and their copy elsewhere."""
