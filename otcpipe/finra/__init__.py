"""FINRA's API over HTTP: one polite request at a time; what comes back is a page, or a reason why not."""

from otcpipe.finra.client import HISTORIC, ROLLING, Finra

__all__ = ["HISTORIC", "ROLLING", "Finra"]
