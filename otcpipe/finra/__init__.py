"""FINRA's API over HTTP, within the rate limit; an answer is a page or an error that says whether to retry."""

from otcpipe.finra.client import HISTORIC, ROLLING, Finra

__all__ = ["HISTORIC", "ROLLING", "Finra"]
