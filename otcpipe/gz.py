"""Gzip whose output depends on its input only, and whose expansion is bounded."""

import gzip
import zlib

from otcpipe.errors import Invalid

MAGIC = b"\x1f\x8b"
LIMIT = 1 << 30  # bytes; the largest partition ever seen is some 30 MB
LEVEL = 3  # twice as quick as the default, a tenth larger


def compress(content: bytes) -> bytes:
    return gzip.compress(content, LEVEL, mtime=0)


def expand(content: bytes, limit: int = LIMIT) -> bytes:
    """Plain bytes of gzip or of plain bytes; raises Invalid when broken off, or larger than the limit."""
    if not content.startswith(MAGIC):
        return content
    pieces: list[bytes] = []
    while content.startswith(MAGIC):
        stream = zlib.decompressobj(wbits=31)
        pieces.append(_expanded(stream, content, limit - sum(map(len, pieces))))
        content = stream.unused_data
    return b"".join(pieces)


def _expanded(stream: "zlib._Decompress", content: bytes, limit: int) -> bytes:
    try:
        piece = stream.decompress(content, limit + 1)
    except zlib.error:
        raise Invalid("The gzip data is damaged.") from None
    if len(piece) > limit:
        raise Invalid(f"The gzip data expands to more than {LIMIT >> 20} MiB, which no partition has.")
    if not stream.eof:
        raise Invalid("The gzip data breaks off before its end.")
    return piece
