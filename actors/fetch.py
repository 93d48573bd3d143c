from otcpipe.broker import stage
from otcpipe.errors import Permanent
from otcpipe.ledger import Run
from otcpipe.records import Output


@stage
def fetch_week(run: Run) -> Output:
    """One partition of FINRA's API, proven complete."""
    raise Permanent(f"{run.key} cannot be fetched yet: bring FINRA's file with `otcpipe import`.")
