"""Run the tools for one assistant, on standard input and output: without the pages, so that it starts sooner."""

from otcpipe.settings import Settings
from otcpipe.web import tools
from otcpipe.web.reading import Reading


def talk(settings: Settings) -> None:
    """Answer the assistant that started this process, until it closes standard input."""
    reading = Reading(settings["DATABASE_URL"])
    reading.check()
    tools.create(reading).run("stdio")
    reading.close()
