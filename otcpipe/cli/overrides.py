"""What the environment overrides of a running stack: variables left over from another."""

from collections.abc import Mapping

from otcpipe import settings


def overrides(environ: Mapping[str, str]) -> list[str]:
    """Return a sentence that names what the environment overrides of the stack that runs in this home, if any."""
    found = settings.load(environ)
    if not found.overridden:
        return []
    names = " ".join(found.overridden)
    return [f"The environment overrides values of the stack in {found.home}: `unset {names}` removes them."]
