"""Keys and signed files; what a device makes of them is in tests/edge/install/test_trust.py."""

import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tuf.api.metadata import Metadata

from overtone_converters.errors import SigningError
from overtone_converters.signing import ROLES, make_keys, sign_bundle, verify_signed
from overtone_models.archive import unpack

LIMIT = 1 << 20


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    make_keys(tmp_path / "keys")
    return tmp_path / "keys"


def test_one_key_a_role_readable_by_its_owner_only(keys: Path) -> None:
    assert {p.name for p in keys.iterdir()} == {"root.json", *(f"{role}.pem" for role in ROLES)}
    for role in ROLES:
        path = keys / f"{role}.pem"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert path.read_text().startswith("-----BEGIN PRIVATE KEY-----")
    assert "PRIVATE" not in (keys / "root.json").read_text()
    root = Metadata.from_file(str(keys / "root.json")).signed
    assert {role: len(entry.keyids) for role, entry in root.roles.items()} == dict.fromkeys(ROLES, 1)
    assert {key.keytype for key in root.keys.values()} == {"ed25519"}
    assert len(root.keys) == 4


@pytest.mark.parametrize("left", ["root.pem", "root.json", "timestamp.pem"])
def test_keys_are_never_overwritten(keys: Path, left: str) -> None:
    for path in keys.iterdir():
        if path.name != left:
            path.unlink()
    before = (keys / left).read_bytes()
    with pytest.raises(SigningError, match=rf"holds keys already \({left}\)"):
        make_keys(keys)
    assert [p.name for p in keys.iterdir()] == [left]
    assert (keys / left).read_bytes() == before


def test_keys_where_no_folder_can_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SigningError, match="cannot be written"):
        make_keys(tmp_path / "file")


def test_signed_file_is_a_tuf_repository_in_one_file(keys: Path) -> None:
    entries = unpack(sign_bundle(b"payload", name="m", version=3, keys=keys), LIMIT)
    names = sorted(entries)
    assert names[:4] == [
        "metadata/1.root.json",
        "metadata/3.snapshot.json",
        "metadata/3.targets.json",
        "metadata/timestamp.json",
    ]
    assert names[4].startswith("targets/")
    assert names[4].endswith(".m.bundle")
    assert entries[names[4]] == b"payload"
    assert b"PRIVATE" not in b"".join(entries.values())


def test_verify_signed_gives_the_bundle_back(keys: Path) -> None:
    root = (keys / "root.json").read_bytes()
    assert verify_signed(sign_bundle(b"payload", name="m", version=3, keys=keys), root) == b"payload"


def test_verify_signed_refuses_others_and_the_expired(keys: Path, tmp_path: Path) -> None:
    signed = sign_bundle(b"payload", name="m", version=3, keys=keys)
    other = make_keys(tmp_path / "other").read_bytes()
    with pytest.raises(SigningError, match="not to be trusted"):
        verify_signed(signed, other)
    long_ago = datetime(2020, 1, 1, tzinfo=UTC)
    expired = sign_bundle(b"payload", name="m", version=3, keys=keys, now=long_ago, days=30)
    with pytest.raises(SigningError, match="expired"):
        verify_signed(expired, (keys / "root.json").read_bytes())
    with pytest.raises(SigningError, match="cannot be read"):
        verify_signed(b"nonsense", (keys / "root.json").read_bytes())
    with pytest.raises(SigningError):
        verify_signed(signed, b"not a root")


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"version": 0}, r"release version is 0, limit is 1\.\.2147483647"),
        ({"version": 2**31}, "release version is 2147483648"),
        ({"days": 0}, "days is 0"),
        ({"name": "my model"}, "name is 'my model'"),
        ({"name": "../m"}, "name is"),
        ({"name": ""}, "name is ''"),
    ],
)
def test_what_cannot_be_signed(keys: Path, change: dict[str, object], text: str) -> None:
    with pytest.raises(SigningError, match=text):
        sign_bundle(b"", **{"name": "m", "version": 1, "keys": keys, **change})  # type: ignore[arg-type]


def test_missing_and_broken_keys_are_named(keys: Path, tmp_path: Path) -> None:
    with pytest.raises(SigningError, match=r"cannot read .*root\.json.*`overtone keys` makes it"):
        sign_bundle(b"", name="m", version=1, keys=tmp_path / "nowhere")
    (keys / "snapshot.pem").write_text("garbage")
    with pytest.raises(SigningError, match=r"snapshot\.pem is not a private key"):
        sign_bundle(b"", name="m", version=1, keys=keys)
    (keys / "root.json").write_text("garbage")
    with pytest.raises(SigningError, match=r"(root\.json is not TUF metadata|not a private key)"):
        sign_bundle(b"", name="m", version=1, keys=keys)


def test_a_key_of_another_kind_is_refused(keys: Path) -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (keys / "targets.pem").write_bytes(pem)
    with pytest.raises(SigningError, match=r"targets\.pem is not an Ed25519 key"):
        sign_bundle(b"", name="m", version=1, keys=keys)
