"""Gzip with reproducible output and bounded expansion."""

from isal import igzip, isal_zlib

from otcpipe.errors import Invalid
from otcpipe.text.limits import MAX_BYTES, MAX_MEMBERS

DAMAGED: type[Exception] = isal_zlib.error  # type: ignore[assignment]  # its stub has an instance
MAGIC = b"\x1f\x8b"
GZIP_WINDOW_BITS = 31  # in zlib: the gzip format with the largest window
LEVEL = 2  # the size of level 3 of zlib in a fifth of its time: 0.02 s and 3.2 MB for a partition of 29 MB
FIRST_PIECE, PIECE = (
    1 << 12,
    1 << 18,
)  # bytes at once; small first: what follows a member is copied


def compress(content: bytes) -> bytes:
    """Return gzip data without a time stamp: on one kind of processor, the same input gives the same bytes."""
    return igzip.compress(content, LEVEL, mtime=0)


def expand(content: bytes, limit: int = MAX_BYTES) -> bytes:
    """Return the expanded bytes of gzip data, other bytes as they are.

    Raises Invalid if the data is damaged or truncated, or expands to more than `limit` bytes.
    """
    if not content.startswith(MAGIC):
        return content
    expanded, at = bytearray(), 0
    try:
        for _ in range(MAX_MEMBERS):
            at = _expand_member(content, at, expanded, limit)
            rest = content[at : at + len(MAGIC)]
            if rest != MAGIC:
                break
        else:
            raise Invalid(f"The gzip data has more than {MAX_MEMBERS:,} members, too many for a partition.")
    except DAMAGED:
        raise Invalid("The gzip data is damaged.") from None
    if any(memoryview(content)[at:]):  # trailing zeros are padding, as from tapes
        raise Invalid("The gzip data is damaged.")
    return bytes(expanded)


def _expand_member(content: bytes, at: int, expanded: bytearray, limit: int) -> int:
    """Append the expansion of the member that starts at `at`; return where it ends."""
    member, piece = isal_zlib.decompressobj(GZIP_WINDOW_BITS), FIRST_PIECE
    while not member.eof:
        packed = member.unconsumed_tail or content[at : at + piece]
        if not member.unconsumed_tail:
            at, piece = at + len(packed), min(2 * piece, PIECE)
        if not packed:
            raise Invalid("The gzip data is truncated.")
        expanded += member.decompress(packed, limit + 1 - len(expanded))
        if len(expanded) > limit:
            raise Invalid(f"The gzip data expands to more than {limit >> 20} MiB, too much for a partition.")
    return at - len(member.unused_data)
