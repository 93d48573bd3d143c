import gzip
import time
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otcpipe.errors import Invalid
from otcpipe.storage import gz

CONTENT = bytes(range(256)) * 40
PLAIN = st.binary().filter(lambda content: not content.startswith(gz.MAGIC))


@given(st.binary(max_size=5000))
def test_what_was_compressed_expands_to_itself(content: bytes) -> None:
    assert gz.expand(gz.compress(content)) == content


@given(PLAIN)
def test_plain_bytes_pass_through(content: bytes) -> None:
    assert gz.expand(content) == content


def test_the_same_input_gives_the_same_bytes_at_any_time() -> None:
    first = gz.compress(CONTENT)
    assert first[4:8] == bytes(4)  # RFC 1952: the time of modification
    assert first[3] == 0  # no name, no comment
    assert gz.compress(CONTENT) == first


@given(st.lists(st.binary(max_size=200), min_size=1, max_size=6))
def test_several_members_are_one_content(pieces: list[bytes]) -> None:
    assert gz.expand(b"".join(map(gz.compress, pieces))) == b"".join(pieces)


def test_a_member_with_a_name_and_a_time_is_read() -> None:
    assert gz.expand(gzip.compress(CONTENT, mtime=1_700_000_000)) == CONTENT


@pytest.mark.parametrize("length", [2, 3, 9, 10, 11, -9, -8, -4, -1])
def test_truncated_gzip_is_refused(length: int) -> None:
    with pytest.raises(Invalid, match="is truncated"):
        gz.expand(gz.compress(CONTENT)[:length])


@given(st.integers(2, len(gz.compress(CONTENT)) - 1))
def test_no_prefix_of_gzip_is_accepted(length: int) -> None:
    with pytest.raises(Invalid, match="is truncated"):
        gz.expand(gz.compress(CONTENT)[:length])


@pytest.mark.parametrize("at", [2, 12, -8, -4], ids=["method", "content", "checksum", "length"])
def test_damaged_gzip_is_refused(at: int) -> None:
    content = bytearray(gz.compress(CONTENT))
    content[at] ^= 0xFF
    with pytest.raises(Invalid, match=r"^The gzip data (is damaged|is truncated)\.$"):
        gz.expand(bytes(content))


@given(st.integers(10, len(gz.compress(CONTENT)) - 1), st.integers(0, 7))
def test_a_bit_that_changed_never_changes_the_content(at: int, bit: int) -> None:
    content = bytearray(gz.compress(CONTENT))
    content[at] ^= 1 << bit
    try:
        assert gz.expand(bytes(content)) == CONTENT
    except Invalid:
        return


def test_bytes_after_the_last_member_are_not_dropped_silently() -> None:
    with pytest.raises(Invalid, match="damaged"):
        gz.expand(gz.compress(b"one\n") + b"two\n")


def test_a_damaged_second_member_is_refused() -> None:
    with pytest.raises(Invalid, match="is truncated"):
        gz.expand(gz.compress(CONTENT) + gz.compress(CONTENT)[:-1])


@pytest.mark.parametrize("members", [1, 4])
def test_a_bomb_is_refused_whatever_its_members(members: int) -> None:
    piece = gz.compress(bytes(1000 // members))
    assert gz.expand(piece * members, limit=1000) == bytes(1000)
    with pytest.raises(Invalid, match="expands to more than"):
        gz.expand(piece * members, limit=999)


def test_a_bomb_is_refused_without_being_expanded() -> None:
    bomb = gz.compress(bytes(32 << 20))
    tracemalloc.start()
    with pytest.raises(Invalid, match="expands to more than"):
        gz.expand(bomb, limit=1 << 16)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 1 << 20


def test_a_heap_of_empty_members_takes_no_time() -> None:
    heap = gz.compress(b"") * 8000
    started = time.process_time()
    assert gz.expand(heap) == b""
    assert time.process_time() - started < 0.5


def test_many_members_take_time_by_their_bytes_only() -> None:
    """300 kB of members took 16 s when each copied the rest."""
    heap = gz.compress(b"x") * 9_999
    started = time.process_time()
    assert gz.expand(heap) == b"x" * 9_999
    assert time.process_time() - started < 2


def test_more_members_than_a_file_has_are_refused_in_time() -> None:
    heap = gz.compress(b"") * 1_000_000
    started = time.process_time()
    with pytest.raises(Invalid, match="more than 10,000 members"):
        gz.expand(heap)
    assert time.process_time() - started < 2


@given(st.integers(0, 3), st.integers(0, 40))
def test_members_longer_than_a_piece_are_read_whole(more: int, padding: int) -> None:
    big = bytes(range(256)) * (1 << 11)
    assert gz.expand(gzip.compress(big, 0) + gz.compress(CONTENT) * more + bytes(padding)) == big + CONTENT * more
