"""Serve pages and the API to browsers and programs."""

from otcpipe import logs, resources
from otcpipe.cli.console import say
from otcpipe.errors import Invalid


def serve(host: str | None, port: int | None) -> None:
    """Serve until a stop signal; raises Invalid if the packages of the extra are missing."""
    settings = resources.settings()
    logs.configure(settings)
    try:
        from otcpipe.web import serving  # noqa: PLC0415 - its packages are an extra
    except ModuleNotFoundError as error:
        raise Invalid(f"The package {error.name} is missing: run `pip install 'otcpipe[web]'`.") from None
    host, port = host or settings["WEB_HOST"], port or int(settings["WEB_PORT"])
    say(f"Pages and the API: http://{f'[{host}]' if ':' in host else host}:{port}. Ctrl-C stops it.")
    serving.serve(settings, host, port)
