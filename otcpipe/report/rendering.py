"""Templates: all text is escaped, and an undefined name is an error."""

from jinja2 import BaseLoader, ChoiceLoader, Environment, PackageLoader, StrictUndefined

from otcpipe.datasets import TIERS
from otcpipe.report import charts, formatting


def environment(*loaders: BaseLoader) -> Environment:
    """Return the templates of these loaders and of the report, with the filters that format numbers and dates."""
    templates = Environment(
        loader=ChoiceLoader([*loaders, PackageLoader("otcpipe.report", ".")]),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=formatting.plain,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters.update(formatting.FILTERS | {"tier_name": TIERS.__getitem__})
    templates.globals.update(part=charts.part, spark=charts.spark, ticks=charts.ticks, ceiling=charts.ceiling)
    return templates
