"""Variables of the shell that mislead: left over from another stack, as after `eval "$(otcpipe env)"`."""

from collections.abc import Callable, Mapping

from otcpipe.errors import Unreachable
from otcpipe.stack import EXTERNAL

Ready = Mapping[str, Callable[[Mapping[str, str]], bool]]


def check(environ: Mapping[str, str], ready: Ready) -> None:
    """Raise Unreachable, which names the variables, if the environment names a server that does not answer."""
    wrong = [name for name, (variable, _) in EXTERNAL.items() if environ.get(variable) and not ready[name](environ)]
    if not wrong:
        return
    named = " and ".join(EXTERNAL[name][0] for name in wrong)
    prefixes = tuple(EXTERNAL[name][1] for name in wrong)
    left = " ".join(sorted(name for name in environ if name.startswith(prefixes)))
    raise Unreachable(
        f"{named} in the environment {'names a server that does' if len(wrong) == 1 else 'name servers that do'}"
        " not answer or refuses the credentials, and `otcpipe up` starts only what the environment does not name:"
        f" run `unset {left}`, or start what {'it names' if len(wrong) == 1 else 'they name'}."
    )
