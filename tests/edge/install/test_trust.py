"""Trust: which signed files a device takes, and which it refuses, also after what it saw before."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from overtone_converters.signing import make_keys, sign_bundle
from overtone_edge.core.errors import TrustError, UndecidedError
from overtone_edge.install.trust import MAX_SIGNED_BYTES, TrustStore, read_entries, target_name
from overtone_models.archive import pack, unpack

PAYLOADS = {version: b"payload of version %d " % version * 50 for version in (1, 2, 3)}


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trust") / "keys"
    make_keys(folder)
    return folder


def signed(keys: Path, version: int, **changes: object) -> bytes:
    return sign_bundle(PAYLOADS[version], **{"name": "m", "version": version, "keys": keys, **changes})  # type: ignore[arg-type]


@pytest.fixture
def store(tmp_path: Path, keys: Path) -> TrustStore:
    return TrustStore(tmp_path / "trust", (keys / "root.json").read_bytes())


def test_a_genuine_file_gives_its_payload(store: TrustStore, keys: Path) -> None:
    assert store.verify(signed(keys, 1)) == PAYLOADS[1]


def test_the_same_version_again_is_taken_and_a_newer_one_too(store: TrustStore, keys: Path, tmp_path: Path) -> None:
    first = signed(keys, 1)
    for data, version in ((first, 1), (first, 1), (signed(keys, 2), 2), (signed(keys, 3), 3)):
        assert store.verify(data) == PAYLOADS[version]
    again = TrustStore(tmp_path / "trust", (keys / "root.json").read_bytes())
    assert again.verify(signed(keys, 3)) == PAYLOADS[3]


def test_an_older_version_is_refused_also_after_a_restart(store: TrustStore, keys: Path, tmp_path: Path) -> None:
    old = signed(keys, 1)
    store.verify(signed(keys, 2))
    for each in (store, TrustStore(tmp_path / "trust", (keys / "root.json").read_bytes())):
        with pytest.raises(TrustError, match="not to be trusted"):
            each.verify(old)
    assert store.verify(signed(keys, 2)) == PAYLOADS[2]


def test_another_bundle_under_a_version_that_is_known_is_refused(store: TrustStore, keys: Path) -> None:
    store.verify(signed(keys, 2))
    with pytest.raises(TrustError):
        store.verify(sign_bundle(b"other payload", name="m", version=2, keys=keys))
    with pytest.raises(TrustError):
        store.verify(sign_bundle(PAYLOADS[2], name="other", version=2, keys=keys))


def test_other_keys_are_refused(store: TrustStore, tmp_path: Path) -> None:
    make_keys(tmp_path / "others")
    with pytest.raises(TrustError, match="not to be trusted"):
        store.verify(signed(tmp_path / "others", 1))


def test_a_root_that_comes_with_the_file_is_not_believed(store: TrustStore, keys: Path, tmp_path: Path) -> None:
    store.verify(signed(keys, 1))
    make_keys(tmp_path / "others")
    theirs = unpack(signed(tmp_path / "others", 2), 1 << 20)
    renamed = {name.replace("1.root.json", "2.root.json"): data for name, data in theirs.items()}
    with pytest.raises(TrustError):
        store.verify(pack(renamed))
    assert store.verify(signed(keys, 2)) == PAYLOADS[2]


@pytest.mark.parametrize("role", ["targets", "snapshot", "timestamp"])
def test_one_key_of_another_set_is_refused(store: TrustStore, keys: Path, tmp_path: Path, role: str) -> None:
    mixed = tmp_path / "mixed"
    make_keys(mixed)
    for path in keys.iterdir():
        if path.name != f"{role}.pem":
            (mixed / path.name).write_bytes(path.read_bytes())
    with pytest.raises(TrustError, match="not to be trusted"):
        store.verify(signed(mixed, 1))


def test_expired_metadata_is_refused(store: TrustStore, keys: Path) -> None:
    with pytest.raises(UndecidedError, match="expired"):
        store.verify(signed(keys, 1, now=datetime(2020, 1, 1, tzinfo=UTC), days=30))
    assert store.verify(signed(keys, 1)) == PAYLOADS[1]


def test_a_changed_bit_anywhere_is_refused_and_does_no_harm(store: TrustStore, keys: Path) -> None:
    data = signed(keys, 1)
    rng = np.random.default_rng(0)
    for place in rng.integers(0, len(data), 150):
        changed = bytearray(data)
        changed[place] ^= 1 << int(rng.integers(8))
        with pytest.raises(TrustError):
            store.verify(bytes(changed))
    assert store.verify(data) == PAYLOADS[1]


def repacked(data: bytes, change: dict[str, bytes | None]) -> bytes:
    """The file with entries exchanged and the archive around them whole again."""
    entries = unpack(data, 1 << 20)
    for part, value in change.items():
        name = next(name for name in entries if part in name)
        if value is None:
            del entries[name]
        else:
            entries[name] = value
    return pack(entries)


@pytest.mark.parametrize(
    "change",
    [
        {"targets/": b"another payload"},
        {"targets/": b""},
        {"targets/": None},
        {"timestamp.json": None},
        {"snapshot.json": None},
        {"targets.json": None},
        {"timestamp.json": b"{}"},
        {"targets.json": b"\xff\xfe"},
        {"timestamp.json": b"[" * 5000},
    ],
    ids=lambda c: f"{next(iter(c))} {str(next(iter(c.values())))[:12]}",
)
def test_a_well_made_archive_of_wrong_parts_is_refused(store: TrustStore, keys: Path, change: dict) -> None:
    with pytest.raises(TrustError):
        store.verify(repacked(signed(keys, 1), change))


def test_parts_of_two_genuine_files_do_not_mix(store: TrustStore, keys: Path) -> None:
    one, two = signed(keys, 1), unpack(signed(keys, 2), 1 << 20)
    payload = next(data for name, data in two.items() if name.startswith("targets/"))
    with pytest.raises(TrustError):
        store.verify(repacked(one, {"targets/": payload}))
    with pytest.raises(TrustError):
        store.verify(repacked(one, {"timestamp.json": two["metadata/timestamp.json"]}))


@pytest.mark.parametrize("data", [b"", b"nonsense", pack({}), pack({"targets/x": b""})])
def test_what_is_no_signed_bundle(store: TrustStore, data: bytes) -> None:
    with pytest.raises(TrustError):
        store.verify(data)


def test_size_is_checked_first() -> None:
    with pytest.raises(TrustError, match=f"archive is {MAX_SIGNED_BYTES + 1} bytes, limit is {MAX_SIGNED_BYTES}"):
        read_entries(bytes(MAX_SIGNED_BYTES + 1))


def test_one_target_only() -> None:
    assert target_name({"targets/0123.m.bundle": b"", "metadata/timestamp.json": b""}) == "m.bundle"
    with pytest.raises(TrustError, match="holds one target, this holds 2"):
        target_name({"targets/01.a": b"", "targets/02.b": b""})


@pytest.mark.parametrize("root", [b"", b"{}", b"nonsense"])
def test_a_root_that_is_none(tmp_path: Path, keys: Path, root: bytes) -> None:
    with pytest.raises(TrustError):
        TrustStore(tmp_path / "trust", root).verify(signed(keys, 1))


def test_a_store_that_cannot_be_written(tmp_path: Path, keys: Path) -> None:
    (tmp_path / "trust").write_text("a file stands where the folder should be")
    with pytest.raises(UndecidedError, match="trust store trust cannot be used"):
        TrustStore(tmp_path / "trust", (keys / "root.json").read_bytes()).verify(signed(keys, 1))


def test_broken_metadata_on_the_disk_is_no_reason_to_stop(store: TrustStore, keys: Path, tmp_path: Path) -> None:
    store.verify(signed(keys, 1))
    for path in (tmp_path / "trust").rglob("*.json"):
        if path.is_file() and "root" not in path.name:
            path.write_text("{")
    assert store.verify(signed(keys, 2)) == PAYLOADS[2]
