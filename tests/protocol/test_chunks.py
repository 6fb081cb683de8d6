"""Chunks: a payload comes together in any order, with repeats, and from where it stopped."""

import hashlib
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overtone_protocol import Assembly, Limits, TransferError, chunk_count, expand, split

payloads = st.binary(min_size=1, max_size=400)
chunk_sizes = st.integers(1, 60)


def assembly(payload: bytes, chunk_size: int) -> Assembly:
    chunks = chunk_count(len(payload), chunk_size)
    return Assembly(hashlib.sha256(payload).digest(), len(payload), chunk_size, chunks)


@given(payloads, chunk_sizes)
def test_chunks_join_to_the_payload(payload, chunk_size):
    parts = split(payload, chunk_size)
    assert b"".join(parts) == payload
    assert len(parts) == chunk_count(len(payload), chunk_size)
    assert all(len(part) == chunk_size for part in parts[:-1])
    assert 1 <= len(parts[-1]) <= chunk_size


@given(payloads, chunk_sizes, st.randoms())
def test_any_order_with_repeats_gives_the_payload(payload, chunk_size, random):
    parts = list(enumerate(split(payload, chunk_size)))
    arriving = parts + random.choices(parts, k=len(parts))
    random.shuffle(arriving)
    target = assembly(payload, chunk_size)
    seen: set[int] = set()
    for index, data in arriving:
        assert target.complete == (len(seen) == len(parts))
        assert target.add(index, data) == (index not in seen)
        seen.add(index)
    assert target.complete
    assert target.missing() == []
    assert target.payload() == payload


@given(payloads, chunk_sizes, st.data())
def test_what_is_missing_is_named_in_ranges_and_completes_the_payload(payload, chunk_size, data):
    parts = split(payload, chunk_size)
    present = data.draw(st.sets(st.integers(0, len(parts) - 1)))
    target = assembly(payload, chunk_size)
    for index in present:
        target.add(index, parts[index])
    ranges = target.missing()
    absent = expand(ranges, len(parts))
    assert absent == [index for index in range(len(parts)) if index not in present]
    assert all(one[1] + 1 < other[0] for one, other in itertools.pairwise(ranges))
    limit = data.draw(st.integers(1, 5))
    assert target.missing(limit) == ranges[:limit]
    assert target.window(limit) == absent[:limit]
    assert target.received == len(present)
    for index in absent:
        target.add(index, parts[index])
    assert target.payload() == payload


def test_a_payload_with_another_digest_is_an_error():
    target = Assembly(bytes(32), 4, 4, 1)
    target.add(0, b"data")
    with pytest.raises(TransferError, match="the announced digest is 0000"):
        target.payload()


def test_an_incomplete_payload_is_an_error():
    target = assembly(b"abcdef", 2)
    target.add(1, b"cd")
    with pytest.raises(TransferError, match="1 of 3 chunks are received"):
        target.payload()


def test_a_chunk_of_another_length_or_place_is_an_error():
    target = assembly(b"abcde", 2)
    with pytest.raises(TransferError, match="chunk 2 is 2 bytes, it must be 1"):
        target.add(2, b"ef")
    with pytest.raises(TransferError, match="chunk 0 is 1 bytes, it must be 2"):
        target.add(0, b"a")
    for index in (-1, 3):
        with pytest.raises(TransferError, match=f"chunk index is {index}, the payload has 0..2"):
            target.add(index, b"ab")
    assert target.received == 0


def test_the_first_of_two_different_chunks_stays():
    target = assembly(b"ab", 2)
    assert target.add(0, b"ab")
    assert not target.add(0, b"xy")
    assert target.payload() == b"ab"


@pytest.mark.parametrize(
    ("shape", "says"),
    [
        ((bytes(31), 10, 5, 2), "transfer is 31 bytes, it must be 32"),
        ((bytes(32), 0, 5, 0), "size is 0, it must lie in 1..67108864"),
        ((bytes(32), 2**40, 5, 2), "size is 1099511627776"),
        ((bytes(32), 10, 0, 2), "chunk_size is 0, it must lie in 1..60000"),
        ((bytes(32), 10, 70_000, 1), "chunk_size is 70000"),
        ((bytes(32), 60_000, 1, 60_000), "chunks is 60000, it must lie in 1..16384"),
        ((bytes(32), 10, 5, 3), "chunks is 3, 10 bytes in chunks of 5 make 2"),
    ],
)
def test_an_announcement_that_cannot_be_is_an_error(shape, says):
    with pytest.raises(TransferError, match=says):
        Assembly(*shape, limits=Limits())


@pytest.mark.parametrize("span", [(0, 3), (-1, 0), (2, 1)])
def test_ranges_outside_the_payload_are_an_error(span):
    with pytest.raises(TransferError, match="are requested, the payload has"):
        expand([span], 3)


def test_an_empty_payload_or_chunk_cannot_be():
    with pytest.raises(TransferError, match="payload is empty"):
        split(b"", 4)
    with pytest.raises(TransferError, match="chunk_size is 0"):
        split(b"ab", 0)
