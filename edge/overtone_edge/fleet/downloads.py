"""A bundle on its way to the device: its chunks on the disk, so that a restart goes on where it was."""

import hashlib
from pathlib import Path

from overtone_edge.core.errors import StorageError
from overtone_edge.core.files import make_folder, read_limited, remove, remove_leftovers, storing, write_atomically
from overtone_protocol import (
    DEFAULT_LIMITS,
    Limits,
    ProtocolError,
    Release,
    TransferError,
    chunk_count,
    decode,
    encode,
)

_RELEASE = "release.cbor"


class Download:
    """The chunks of one release in a folder of its own; one download at a time."""

    def __init__(self, folder: Path, release: Release, limits: Limits = DEFAULT_LIMITS) -> None:
        """Go on with the download in `folder` where it is of the same release, else begin anew.

        Raises TransferError for a release whose numbers do not fit each other.
        """
        wanted = chunk_count(release.size, release.chunk_size)
        if release.chunks != wanted:
            raise TransferError(f"release has {release.chunks} chunks, {release.size} bytes make {wanted}")
        self.release = release
        self._folder = folder
        self._limits = limits
        if resumable(folder, limits) != release:
            remove(folder)
            make_folder(folder)
            write_atomically(folder / _RELEASE, encode(release, limits), durable=False)
        remove_leftovers(folder)
        with storing(folder):
            self._have = {int(path.stem) for path in folder.glob("*.chunk") if path.stem.isdigit()}

    def window(self) -> list[int]:
        """Return the indices to ask for next."""
        absent = [index for index in range(self.release.chunks) if index not in self._have]
        return absent[: self._limits.max_fetch]

    def add(self, index: int, data: bytes) -> bool:
        """Keep a chunk; return False where it is here already. Raises TransferError for one that cannot be."""
        if not 0 <= index < self.release.chunks:
            raise TransferError(f"chunk index is {index}, the bundle has 0..{self.release.chunks - 1}")
        wanted = min(self.release.chunk_size, self.release.size - index * self.release.chunk_size)
        if len(data) != wanted:
            raise TransferError(f"chunk {index} is {len(data)} bytes, it must be {wanted}")
        if index in self._have:
            return False
        # Not durable: the digest at the end finds what a power cut may have damaged.
        write_atomically(self._folder / f"{index}.chunk", data, durable=False)
        self._have.add(index)
        return True

    @property
    def complete(self) -> bool:
        """Whether all chunks are here."""
        return len(self._have) == self.release.chunks

    def assemble(self, target: Path) -> None:
        """Write the signed file; raise TransferError, and forget the chunks, where its digest differs."""
        parts = [
            read_limited(self._folder / f"{index}.chunk", self._limits.chunk_bytes)
            for index in range(self.release.chunks)
        ]
        data = b"".join(parts)
        digest = hashlib.sha256(data).digest()
        if digest != self.release.bundle:
            self.discard()
            raise TransferError(
                f"bundle has digest {digest.hex()[:16]}, announced was {self.release.bundle.hex()[:16]}"
            )
        write_atomically(target, data)

    def discard(self) -> None:
        """Remove the chunks."""
        remove(self._folder)
        self._have.clear()


def resumable(folder: Path, limits: Limits = DEFAULT_LIMITS) -> Release | None:
    """Return the release whose download was begun in `folder`."""
    path = folder / _RELEASE
    if not path.exists():
        return None
    try:
        message = decode(read_limited(path, limits.max_message_bytes), limits)
    except (StorageError, ProtocolError):
        return None
    return message if isinstance(message, Release) else None
