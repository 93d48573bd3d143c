"""The check of FINRA's API: one request, within the rate limit that all workers share."""

from urllib.parse import urlsplit

from otcpipe.errors import Defective, Permanent
from otcpipe.finra.client import Finra
from otcpipe.finra.rate_limit import RateLimit
from otcpipe.monitoring.context import TIMEOUT_SECONDS, CheckContext, Verdict

ANSWER_SECONDS = 15.0


def finra(context: CheckContext) -> Verdict:
    """Ask for the list of partitions: whether FINRA answers, accepts the credentials, and what is newest.

    An API that does not answer is a warning, since it may answer later; credentials that it refuses are a failure.
    """
    settings = context.settings
    wait_turn = RateLimit(settings["REDIS_URL"], int(settings["FINRA_RATE"])).wait_turn
    try:
        listed = Finra(settings, wait_turn, (TIMEOUT_SECONDS, ANSWER_SECONDS), attempts=1).partitions()
    except Permanent as error:
        return "fail", str(error), ""
    except Defective as error:
        return "warn", str(error), "Check the network, OTCPIPE_FINRA_URL and OTCPIPE_FINRA_PROXY."
    newest = {
        tier: max((one.week_ending for one in listed if one.tier == tier), default=None) for tier in settings.tiers
    }
    accepted = "accepts the credentials" if settings["FINRA_CLIENT_ID"] else "answers without credentials"
    through = " through the proxy" if settings["FINRA_PROXY"] else ""
    weeks = ", ".join(f"{tier} {week or 'none'}" for tier, week in newest.items())
    finding = f"FINRA at {urlsplit(settings['FINRA_URL']).netloc} {accepted}{through}; newest weeks: {weeks}."
    return ("ok" if all(newest.values()) else "warn"), finding, ""
