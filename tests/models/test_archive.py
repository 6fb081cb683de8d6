"""The archive: one form only, so that every change is noticed."""

import io
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overtone_models.archive import EPOCH, pack, unpack
from overtone_models.errors import BundleError

ENTRIES = {"a.json": b'{"x": 1}', "models/b.bin": bytes(range(256)), "empty": b""}
LIMIT = 1 << 20


@given(st.dictionaries(st.from_regex(r"[a-z]{1,8}(/[a-z]{1,4})?", fullmatch=True), st.binary(max_size=64), max_size=5))
@settings(max_examples=50)
def test_round_trip_and_one_form(entries: dict[str, bytes]) -> None:
    data = pack(entries)
    assert unpack(data, LIMIT) == entries
    assert pack(dict(entries)) == data


def test_every_flipped_bit_is_refused() -> None:
    data = pack(ENTRIES)
    for place in range(len(data)):
        for bit in range(8):
            changed = bytearray(data)
            changed[place] ^= 1 << bit
            with pytest.raises(BundleError):
                unpack(bytes(changed), LIMIT)


def test_every_truncation_and_addition_is_refused() -> None:
    data = pack(ENTRIES)
    for size in range(len(data)):
        with pytest.raises(BundleError):
            unpack(data[:size], LIMIT)
    for changed in (data + b"\0", b"\0" + data, data + data):
        with pytest.raises(BundleError):
            unpack(changed, LIMIT)


@given(st.binary(max_size=300))
def test_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises(BundleError):
        unpack(data, LIMIT)


def test_size_is_checked_before_reading_and_both_numbers_are_named() -> None:
    with pytest.raises(BundleError, match="archive is 11 bytes, limit is 10"):
        unpack(b"x" * 11, 10)


def zipped(compression: int, entries: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as archive:
        for name, data in entries.items():
            archive.writestr(zipfile.ZipInfo(name, EPOCH), data, compression)
    return out.getvalue()


def test_what_unpacks_to_more_than_the_limit_is_refused() -> None:
    bomb = zipped(zipfile.ZIP_DEFLATED, {"zeros": bytes(5_000_000)})
    assert len(bomb) < LIMIT
    with pytest.raises(BundleError, match=f"unpacks to more than {LIMIT} bytes"):
        unpack(bomb, LIMIT)


def test_compressed_archives_are_refused() -> None:
    with pytest.raises(BundleError, match="compressed"):
        unpack(zipped(zipfile.ZIP_DEFLATED, ENTRIES), LIMIT)
    assert unpack(zipped(zipfile.ZIP_STORED, ENTRIES), LIMIT) == ENTRIES


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_one_name_twice_is_refused() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for data in (b"first", b"second"):
            archive.writestr(zipfile.ZipInfo("a", EPOCH), data)
    with pytest.raises(BundleError, match="changed"):
        unpack(out.getvalue(), LIMIT)
