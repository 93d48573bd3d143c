"""A symbol's weeks as one picture, for a notebook or a mail."""

from collections.abc import Mapping

from otcpipe.records import ATTRIBUTION
from otcpipe.report.rendering import environment


def picture(symbol: Mapping[str, object]) -> str:
    """Return SVG with the volume and the concentration by week; `symbol` holds what the page of a symbol shows."""
    return environment().get_template("picture.svg").render(symbol, attribution=ATTRIBUTION)
