"""Serves generated weeks by hand, until Ctrl-C: `python -m tests.finra_server --full`."""

import argparse
import signal
import time
from datetime import date, timedelta
from pathlib import Path

from otcpipe.datasets import TIERS

from .dataset import Dataset
from .faults import Faults, Kind, chaos
from .roster import FULL, SMALL
from .server import FinraServer
from .sources import generated, recorded


def main() -> None:
    asked = _arguments()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # background jobs of a shell inherit it as ignored
    faults = Faults() if asked.chaos is None else chaos(asked.chaos, without=(Kind.MISSING_COLUMN,))
    with FinraServer(_dataset(asked), faults, port=asked.port) as server:
        try:
            print(f"OTCPIPE_FINRA_URL={server.url}", flush=True)
            print(_about(server.dataset), flush=True)
            while True:
                time.sleep(3600)
        except KeyboardInterrupt:
            print(f"{len(server.requests)} requests, at most {server.max_in_window()} in a second")


def _about(dataset: Dataset) -> str:
    """What it serves, and how to fetch it."""
    fridays = sorted({monday + timedelta(days=4) for monday, tier in dataset.keys(historic=None) if tier in TIERS})
    if not fridays:
        return "It serves no week."
    first, last = fridays[0], fridays[-1]
    return f"It serves the weeks ending {first} to {last}: otcpipe backfill --from {first} --to {last} --wait"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.finra_server",
        description=f"{__doc__} Run it in the root of the clone.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--port", type=int, default=0, help="0 for a free one")
    parser.add_argument(
        "--from", dest="first", type=date.fromisoformat, default=date(2026, 3, 2), help="a day of the first week"
    )
    parser.add_argument("--weeks", type=int, default=8, help="how many, from the week of --from on")
    parser.add_argument("--full", action="store_true", help="264,000 rows a week instead of some hundreds")
    parser.add_argument("--seed", type=int, default=0, help="another one has other volumes, as if all were restated")
    parser.add_argument("--today", type=date.fromisoformat, help="hide what is not published by then")
    parser.add_argument("--folder", type=Path, help="keep the generated weeks here")
    parser.add_argument("--recorded", type=Path, help="serve this csv.gz of recorded totals instead")
    parser.add_argument("--chaos", type=int, metavar="SEED", help="let things go wrong")
    return parser.parse_args()


def _dataset(asked: argparse.Namespace) -> Dataset:
    if asked.recorded:
        return Dataset(recorded(asked.recorded), today=asked.today)
    monday = asked.first - timedelta(days=asked.first.weekday())
    weeks = [monday + timedelta(days=7 * number) for number in range(asked.weeks)]
    size = FULL if asked.full else SMALL
    return generated(weeks, size, seed=asked.seed, folder=asked.folder, today=asked.today)


if __name__ == "__main__":
    main()
