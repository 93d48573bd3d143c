from otcpipe import captures, fetch, services
from otcpipe.broker import stage
from otcpipe.ledger import Run
from otcpipe.records import Output


@stage
def fetch_week(run: Run) -> Output:
    """One partition of FINRA's API, proven complete."""
    partition, settings = run.key.partition, services.settings()
    is_captured = captures.is_captured(services.warehouse(), partition)
    finra = fetch.Dated(services.finra(), settings.now)
    found = fetch.observe(finra, partition, settings.now(), is_captured=is_captured)
    return fetch.hand_over(services.store(), run.key.prefix, partition, found, finra.asked_at)
