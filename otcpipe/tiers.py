"""The tiers of the feed."""

TIERS = {"T1": "NMS Tier 1", "T2": "NMS Tier 2", "OTCE": "OTC"}  # identifier: FINRA's description
