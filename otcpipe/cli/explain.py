"""Show a symbol's numbers and the lines of stored files behind them."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from itertools import groupby

from otcpipe import resources, weeks
from otcpipe.answers import arguments
from otcpipe.answers.moments import new_york
from otcpipe.answers.proof import as_object, as_row
from otcpipe.audit import explain as _explain
from otcpipe.audit.explain import Explanation, Proof
from otcpipe.audit.tracing import TracedRecord
from otcpipe.cli.console import say
from otcpipe.cli.form import Form
from otcpipe.cli.output import print_csv, print_json
from otcpipe.cli.transposed import print_transposed
from otcpipe.errors import OtcpipeError
from otcpipe.metrics import definitions
from otcpipe.records import ATTRIBUTION
from otcpipe.storage.postgres import Row
from otcpipe.text.counting import counted

SAME = ("week_ending", "symbol", "computed_at")  # columns that are the same for all rows shown
PLACE = ("tier", "scope")
FEW_REQUESTS = 3  # are named


def explain(symbol: str, week: str, metric: str | None, as_of: str | None, form: Form) -> None:
    """Print the rows of a symbol's metrics, the lines behind them, and the sums of those lines.

    Raises OtcpipeError if a line does not prove its record, or a sum differs from the stored total; with
    `as_of`, from the total as known then.
    """
    at = arguments.moment(as_of)
    friday = weeks.parse_week(week, resources.settings().now())
    prefix = resources.settings()["S3_PREFIX"]
    found = _explain.explain(resources.database(), resources.store(), prefix, symbol, friday, metric, at)
    if form is Form.CSV:
        print_csv([as_row(one) for one in found.records])
    elif form is Form.JSON:
        print_json([as_object(symbol, found) | {"week_ending": friday, "as_of": at}])
    else:
        say(f"{symbol}, week ending {friday}{f', as known on {new_york(at)}' if at else ''}.")
        _say_metrics(found)
        _say_lines(found.records)
        for proof in found.proofs:
            say(_sentence(proof))
        say(ATTRIBUTION)
    wrong = sum(not proof.agrees for proof in found.proofs) + sum(not one.is_proven for one in found.records)
    if wrong:
        raise OtcpipeError(f"{counted(wrong, 'number')} cannot be proven: see `otcpipe verify --week {friday}`.")


def _say_metrics(found: Explanation) -> None:
    """Print each metric: its formula, then its values, one column for each tier and scope."""
    formulas = {metric.name: metric.formula for metric in definitions.metrics()}
    for metric, pairs in groupby(found.rows, key=lambda row: row[0]):
        rows = [row for _, row in pairs]
        headings = [" ".join(str(row[name]) for name in PLACE if name in row) for row in rows]
        say("", f"{metric}: {formulas[metric]}")
        print_transposed([name for name in rows[0] if name not in (*SAME, *PLACE)], headings, rows)


def _say_lines(records: Sequence[TracedRecord]) -> None:
    """Print the lines, grouped by the raw object that contains them."""
    for raw_key, of_raw in groupby(records, key=lambda one: str(one.record["raw_key"])):
        lines = list(of_raw)
        capture = lines[0].record
        source = "FINRA's API" if capture["source"] == "api" else "a file"
        requests = _requests(capture["request_ids"])
        say("", raw_key)
        say(f"from {source}{requests}, observed {_moment(capture['observed_at'])}, SHA-256 {capture['digest']}")
        for header in dict.fromkeys(one.line.header for one in lines if one.line):
            say(f"{'':>7} {header}")
        say(*(text for one in lines for text in _texts(one)))
    say("")


def _requests(ids: Sequence[str]) -> str:
    """Say in how many requests a capture was read, and FINRA's ids of a few; --json has all."""
    if not ids:
        return ""
    named = f" ({', '.join(ids)})" if len(ids) <= FEW_REQUESTS else ""
    return f" in {counted(len(ids), 'request')}{named}"


def _texts(one: TracedRecord) -> Iterator[str]:
    if one.line is None:
        yield f"        no line has {_record(one.record)}"
        return
    yield f"{one.line.number:>7} {one.line.text}"
    if not one.is_proven:
        yield f"        but the record has {_record(one.record)}"


def _moment(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _record(record: Row) -> str:
    venue = record["mpid"] or record["venue_name"]
    return f"{_volume(record['share_volume'], record['trade_count'])} at {venue}"


def _sentence(proof: Proof) -> str:
    where = f"{proof.tier} {proof.week_ending}, {proof.scope}"
    add = "adds" if proof.lines == 1 else "add"
    sums = f"{counted(proof.lines, 'line')} {add} up to {_volume(proof.shares, proof.trades)}"
    if proof.agrees:
        return f"{where}: {sums}, as {_explain.TOTALS} says."
    return f"{where}: {sums}, but {_explain.TOTALS} says {_shares(proof.stored_shares)} in {proof.stored_trades:,}."


def _volume(shares: Decimal, trades: int) -> str:
    return f"{_shares(shares)} share{'' if shares == 1 else 's'} in {counted(trades, 'trade')}"


def _shares(shares: Decimal) -> str:
    """Format shares without trailing zeros."""
    whole, _, fraction = f"{shares:,f}".partition(".")
    return f"{whole}.{fraction.rstrip('0')}".removesuffix(".")
