"""What carries a run from stage to stage."""
