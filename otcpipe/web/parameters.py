"""The parameters of a request: an unknown name or a wrong value is refused in one sentence."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from fastapi import Request
from fastapi.dependencies.models import Dependant

from otcpipe.errors import Invalid
from otcpipe.text.choices import require_known

ALWAYS = "token"  # who may ask, on every address
MOST_SHOWN = 40  # characters of a wrong value
NOW_ONLY = (
    "This shows what is known now, and takes no as_of: symbols, venues of a week, the ranking of a week, "
    "restatements and proofs do."
)


async def only_known(request: Request) -> None:
    """Refuse a parameter that the address does not take; raises Invalid, which names the nearest one."""
    given = [name for name in request.query_params if name != ALWAYS]
    if given:
        require_names(given, _names(request.scope["route"].dependant))


def require_names(given: Collection[str], known: Collection[str]) -> None:
    """Raise Invalid for the first name that is not known."""
    if "as_of" in given and "as_of" not in known:
        raise Invalid(NOW_ONLY)
    for name in given:
        require_known(name, known, "parameter")


def wrong_values(errors: Sequence[Mapping[str, Any]]) -> str:
    """Return what is wrong with values, as pydantic lists it, in one sentence."""
    return f"{'; '.join(_wrong_value(one) for one in errors)}."


def _names(route: Dependant) -> list[str]:
    """Return the query parameters of a route, and those of what it depends on."""
    own = [field.alias for field in route.query_params]
    return own + [name for one in route.dependencies for name in _names(one)]


def _wrong_value(error: Mapping[str, Any]) -> str:
    name, kind, limits = error["loc"][-1], error["type"], error.get("ctx", {})
    if kind == "missing":
        return f"Give {name}"
    requirement = {
        **dict.fromkeys(("int_parsing", "int_type", "int_from_float"), "a whole number"),
        "int_parsing_size": "a smaller number",
        "bool_parsing": "true or false",
        "string_type": "a text",
        "greater_than_equal": f"at least {limits.get('ge')}",
        "less_than_equal": f"at most {limits.get('le')}",
        "enum": str(limits.get("expected")).replace("'", ""),
        "string_too_long": f"a text of at most {limits.get('max_length')} characters",
    }.get(kind, "of another form")
    return f"{name} must be {requirement}, not {_shown(error['input'])}"


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}…"
