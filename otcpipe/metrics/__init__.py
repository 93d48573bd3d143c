"""The analysts' metrics: their definitions, the aggregates they share, and the parallel computation of a week."""
