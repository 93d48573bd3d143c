"""Commands that import what FINRA does not publish: the volume of all trading, and splits."""

from pathlib import Path
from typing import Annotated

import typer

from otcpipe.cli.commands.command import Commands

commands = Commands("Collect")
ObservedAt = Annotated[
    str | None,
    typer.Option(metavar="TIME", help="Time of the download, ISO with zone: known from then on; default: now."),
]


@commands.change(
    "import-market",
    examples=(
        "otcpipe import-market market_history_2025.csv",
        "otcpipe import-market --observed-at 2026-01-05T09:30:00-05:00 market_history_2025.csv",
    ),
)
def import_market(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE", help="Cboe's market_history files of a year, plain or .gz.")
    ],
    *,
    observed_at: ObservedAt = None,
) -> None:
    """Import the volume of the whole market by day and tape, from Cboe's yearly files: for market_share."""
    from otcpipe.cli.import_volumes import import_volumes
    from otcpipe.pipeline.volumes import imports

    import_volumes(files, imports.MARKET, imports.CBOE, observed_at)


@commands.change(
    "import-volume",
    examples=(
        "otcpipe import-volume --source Alpaca volume.csv",
        "otcpipe import-volume --source Massive 2025.parquet 2026.parquet",
    ),
)
def import_volume(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE", help="CSV, plain or .gz, or Parquet, with symbol, date and volume."),
    ],
    *,
    source: Annotated[str, typer.Option(metavar="NAME", help="Who made the data; stored with it.")],
    observed_at: ObservedAt = None,
) -> None:
    """Import symbols' consolidated volume by day, not adjusted for splits: for off_exchange_share."""
    from otcpipe.cli.import_volumes import import_volumes
    from otcpipe.pipeline.volumes import imports

    import_volumes(files, imports.CONSOLIDATED, source, observed_at)


@commands.change(
    "import-splits",
    examples=(
        "otcpipe import-splits splits.csv",
        "otcpipe import-splits --source 'a vendor' splits.csv",
    ),
)
def import_splits(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE", help="CSV, plain or .gz, with symbol, ex_date, ratio and, if wanted, known_from."
        ),
    ],
    *,
    source: Annotated[str, typer.Option(metavar="NAME", help="Who made the data; stored with it.")] = "user",
    observed_at: ObservedAt = None,
) -> None:
    """Import splits of shares, such as `NVDA,2024-06-10,10:1,2024-05-22`, in place of those inferred from prices.

    A file replaces all splits of its symbols. A ratio of 1 says that there was none.
    """
    from otcpipe.cli.import_volumes import import_volumes
    from otcpipe.pipeline.volumes import imports

    import_volumes(files, imports.SPLITS, source, observed_at)
