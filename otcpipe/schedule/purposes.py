"""What each job does, in a few words."""

PURPOSES = {
    "otc-tier1-weekly": "fetches what is due and missing of T1",
    "otc-tier2-weekly": "the same for T2 and OTCE",
    "otc-rolling-weekly": "recomputes weeks whose metrics are stale",
    "otc-publication": "fetches what was published today",
    "otc-reconcile": "sends lost runs again",
    "otc-refresh-weekly": "looks for restatements",
    "otc-check-daily": "logs a warning for each gap",
    "otc-alert": "notifies the receivers of alerts",
    "otc-history": "completes deferred metrics and builds histories",
}
