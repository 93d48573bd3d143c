"""Whether a partition is good enough for metrics: measures, gates, grades, and reconciliation with FINRA's totals."""
