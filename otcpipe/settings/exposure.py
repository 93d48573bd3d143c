"""Whether other machines can reach an address, and what they must then present."""

from ipaddress import ip_address

from otcpipe.errors import Invalid


def is_loopback(host: str) -> bool:
    """Return whether only programs of this machine can reach an address."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def require_token(host: str, token: str) -> None:
    """Raise Invalid if other machines can reach the pages, and would need no token."""
    if not is_loopback(host) and not token:
        raise Invalid(
            f"Other machines can reach {host}: set OTCPIPE_WEB_TOKEN to a secret of 16 characters or more, which each"
            " request then has to send; and use a proxy that encrypts."
        )
