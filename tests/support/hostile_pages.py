"""Bodies that cost a careless reader gigabytes: run as a program, it reads each and prints what that cost."""

import json
import resource
import time
import zlib
from collections.abc import Callable

from otcpipe.errors import Defective
from otcpipe.finra.pages import page
from otcpipe.finra.transport import MAX_BYTES, Answer, expand

SHAPES: dict[str, Callable[[], bytes]] = {
    "newlines": lambda: b"a|b" + b"\n" * (MAX_BYTES - 3),
    "bars": lambda: b"|" * MAX_BYTES,
    "short rows": lambda: b"a|b" + b"\n|" * (MAX_BYTES // 2 - 3),
    "empty objects": lambda: b"[" + b"{}," * (MAX_BYTES // 3 - 2) + b"{}]",
    "small objects": lambda: b"[" + b'{"a":0},' * (MAX_BYTES // 8 - 2) + b"{}]",
    "lists": lambda: b"[" + b"[]," * (MAX_BYTES // 3 - 2) + b"[]]",
    "nulls": lambda: b"[" + b"null," * (MAX_BYTES // 5 - 2) + b"null]",
    "nested lists": lambda: b"[" * MAX_BYTES,
    "nested objects": lambda: b'{"a":' * (MAX_BYTES // 5),
    "columns": lambda: b"[" + b",".join(b'{"c%d":1}' % number for number in range(200_000)) + b"]",
    "a wide row": lambda: b"[{" + b",".join(b'"c%d":1' % number for number in range(200_000)) + b"}]",
    "digits": lambda: b"[{" + b'"a":' + b"9" * (MAX_BYTES - 10) + b"}]",
    "an exponent": lambda: b'[{"a":1e300000000,"b":-1E-300000000}]',
    "a string": lambda: b'[{"a":"' + b"\\u0001" * (MAX_BYTES // 6 - 4) + b'"}]',
    "a bomb": lambda: expand(_bomb()),
}


def _bomb() -> bytes:
    packer = zlib.compressobj(wbits=31)
    return b"".join([*(packer.compress(b"\n" * (1 << 20)) for _ in range(200)), packer.flush()])


def cost(shape: str, *, is_json: bool) -> tuple[str, float]:
    """Return the outcome, and the CPU seconds that it took."""
    start = time.process_time()
    try:
        found = page(Answer(200, {"Record-Total": "5"}, SHAPES[shape]()), is_json=is_json)
        outcome = f"{len(found.rows)} rows"
    except (Defective, ValueError) as error:
        outcome = type(error).__name__
    return outcome, time.process_time() - start


if __name__ == "__main__":
    costs = {f"{shape} {is_json}": cost(shape, is_json=is_json) for shape in SHAPES for is_json in (False, True)}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"costs": costs, "megabytes": peak}))
