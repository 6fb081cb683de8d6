"""Signs bundles: keys (Ed25519) and TUF metadata around the bundle, in one file.

Four roles, one key each. The root key is needed only to rotate the others and belongs offline;
`targets`, `snapshot` and `timestamp` sign every release.
"""

import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from securesystemslib.signer import CryptoSigner  # type: ignore[attr-defined]
from tuf.api.metadata import (  # type: ignore[attr-defined]
    Metadata,
    MetaFile,
    Root,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)
from tuf.api.serialization import DeserializationError

from overtone_converters.errors import SigningError
from overtone_models.archive import pack

ROLES = ("root", "targets", "snapshot", "timestamp")
ROOT = "root.json"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
ROOT_DAYS = 3650
RELEASE_DAYS = 365


def make_keys(directory: Path, *, now: datetime | None = None) -> Path:
    """Write one Ed25519 key per role (PEM, mode 0600) and `root.json`; return the path of the latter.

    Raises:
        SigningError: the directory holds keys already.
    """
    files = (*(f"{role}.pem" for role in ROLES), ROOT)
    if existing := [name for name in files if (directory / name).exists()]:
        raise SigningError(f"{directory} holds keys already ({existing[0]}); remove them or choose another folder")
    try:
        return _write_keys(directory, now)
    except OSError as error:
        raise SigningError(f"{directory} cannot be written: {error.strerror or error}") from error


def _write_keys(directory: Path, now: datetime | None) -> Path:
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    root = Root(expires=_expiry(now, ROOT_DAYS), consistent_snapshot=True)
    for role in ROLES:
        signer = CryptoSigner(Ed25519PrivateKey.generate())
        _write_private(directory / f"{role}.pem", signer.private_bytes)
        root.add_key(signer.public_key, role)
    metadata = Metadata(root)
    metadata.sign(_signer(directory, "root"))
    path = directory / ROOT
    path.write_bytes(metadata.to_bytes())
    return path


def sign_bundle(
    bundle: bytes,
    *,
    name: str,
    version: int,
    keys: Path,
    now: datetime | None = None,
    days: int = RELEASE_DAYS,
) -> bytes:
    """Return the signed file of a bundle; `version` must grow with every release of a repository."""
    if not NAME.fullmatch(name):
        raise SigningError(f"name is {name!r}, it must be at most 64 letters, digits, dots, dashes and underscores")
    if not 1 <= version < 2**31:
        raise SigningError(f"release version is {version}, limit is 1..2147483647")
    if not 1 <= days <= ROOT_DAYS:
        raise SigningError(f"days is {days}, limit is 1..{ROOT_DAYS}")
    root_bytes = _read(keys / ROOT)
    target = f"{name}.bundle"
    expires = _expiry(now, days)
    file = TargetFile.from_data(target, bundle, ["sha256"])
    targets = _signed(Targets(version=version, expires=expires, targets={target: file}), keys, "targets")
    snapshot_meta = {"targets.json": MetaFile(version, len(targets))}
    snapshot = _signed(Snapshot(version=version, expires=expires, meta=snapshot_meta), keys, "snapshot")
    timestamp_meta = MetaFile(version, len(snapshot))
    timestamp = _signed(Timestamp(version=version, expires=expires, snapshot_meta=timestamp_meta), keys, "timestamp")
    root_version = _root_version(keys, root_bytes)
    return pack(
        {
            f"metadata/{root_version}.root.json": root_bytes,
            "metadata/timestamp.json": timestamp,
            f"metadata/{version}.snapshot.json": snapshot,
            f"metadata/{version}.targets.json": targets,
            f"targets/{file.hashes['sha256']}.{target}": bundle,
        }
    )


def _root_version(keys: Path, data: bytes) -> int:
    try:
        return int(Metadata.from_bytes(data).signed.version)
    except DeserializationError as error:
        raise SigningError(f"{keys / ROOT} is not TUF metadata: {error}") from error


def _signed(payload: Any, keys: Path, role: str) -> bytes:
    metadata = Metadata(payload)
    metadata.sign(_signer(keys, role))
    data: bytes = metadata.to_bytes()
    return data


def _signer(keys: Path, role: str) -> CryptoSigner:
    try:
        key = serialization.load_pem_private_key(_read(keys / f"{role}.pem"), password=None)
    except ValueError as error:
        raise SigningError(f"{keys / f'{role}.pem'} is not a private key: {error}") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise SigningError(f"{keys / f'{role}.pem'} is not an Ed25519 key")
    return CryptoSigner(key)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SigningError(f"cannot read {path}: {error.strerror}; `overtone keys` makes it") from error


def _write_private(path: Path, data: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)


def _expiry(now: datetime | None, days: int) -> datetime:
    moment = now if now is not None else datetime.now(UTC)
    return moment.replace(microsecond=0) + timedelta(days=days)


def verify_signed(signed: bytes, root: bytes) -> bytes:
    """Return the bundle in a signed file, verified as on a device with this root and no history."""
    import tempfile

    from overtone_edge.core.errors import TrustError
    from overtone_edge.install.trust import TrustStore

    with tempfile.TemporaryDirectory() as folder:
        try:
            return TrustStore(Path(folder) / "trust", root).verify(signed)
        except TrustError as error:
            raise SigningError(str(error)) from error
