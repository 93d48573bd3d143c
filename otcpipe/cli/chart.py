"""Draw a symbol's weeks to a file."""

from importlib import import_module
from pathlib import Path

from otcpipe import resources, weeks
from otcpipe.answers import arguments, series
from otcpipe.answers.symbol import symbol as find
from otcpipe.cli.console import say
from otcpipe.errors import Invalid
from otcpipe.report.picture import picture
from otcpipe.storage import files

FORMS = (".svg", ".png")
ZOOM = 2.0  # of a PNG, for screens with small pixels


def chart(symbol: str, week: str | None, count: int, scope: str | None, as_of: str | None, file: Path | None) -> None:
    """Write `count` weeks of a symbol as SVG or PNG, by the ending of the file's name; raises Invalid for another."""
    file = file or Path(f"{symbol.replace('/', '_')}.svg")
    if file.suffix.lower() not in FORMS:
        raise Invalid(f"{file} ends neither in .svg nor in .png: name such a file with -o.")
    files.check_named(file)
    moment = weeks.parse_as_of(as_of, resources.settings().now()) if as_of else None
    chosen = arguments.scope(scope) if scope else None
    found = find(resources.database(), symbol, arguments.week(week), count, chosen, moment)
    drawn = picture(found | series.of_symbol(found, count)).encode()
    files.write(file, drawn if file.suffix.lower() == ".svg" else _png(drawn.decode()))
    say(f"{symbol} up to the week ending {found['week_ending']} is in {file}.")


def _png(drawn: str) -> bytes:
    try:
        found: bytes = import_module("resvg_py").svg_to_bytes(svg_string=drawn, zoom=ZOOM)
    except ModuleNotFoundError:
        raise Invalid(
            "The package resvg_py is missing: run `pip install 'otcpipe[png]'`, or name a .svg file."
        ) from None
    return bytes(found)
