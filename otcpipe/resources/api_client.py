"""The client of FINRA's API, whose libraries are slow to import."""

from functools import cache

from otcpipe import resources
from otcpipe.finra.client import Finra
from otcpipe.finra.rate_limit import RateLimit


@cache
def finra() -> Finra:
    """Return the client of FINRA's API, with the rate limit that all workers share."""
    settings = resources.settings()
    return Finra(settings, RateLimit(settings["REDIS_URL"], int(settings["FINRA_RATE"])).wait_turn)
