"""FINRA's weekly off-exchange volume: every version kept, every number provable."""
