"""Download of releases: windows of chunks, with retries, resumed after a restart."""

import hashlib
import logging
from pathlib import Path

from overtone_edge.core.errors import StorageError
from overtone_edge.core.files import make_folder, read_limited, remove, remove_leftovers, storing, write_atomically
from overtone_edge.fleet.rounds import Backoff
from overtone_edge.state.slots import HeldOutQuality, Slots
from overtone_protocol import (
    DEFAULT_LIMITS,
    Chunk,
    Fetch,
    Health,
    Limits,
    Message,
    ProtocolError,
    Release,
    TransferError,
    chunk_count,
    clip_text,
    decode,
    encode,
)

_log = logging.getLogger(__name__)

MAX_DIGEST_MISMATCHES = 3
_RELEASE = "release.cbor"


class Download:
    """The chunks of one release in a folder of its own, so that a restart continues the download."""

    def __init__(self, folder: Path, release: Release, limits: Limits = DEFAULT_LIMITS) -> None:
        """Resume the download in `folder` where it is of the same release, else start a new one.

        Raises TransferError for a release whose size and number of chunks do not match.
        """
        expected = chunk_count(release.size, release.chunk_size)
        if release.chunks != expected:
            raise TransferError(f"release has {release.chunks} chunks, {release.size} bytes make {expected}")
        self.release = release
        self._folder = folder
        self._limits = limits
        if resumable(folder, limits) != release:
            remove(folder)
            make_folder(folder)
            write_atomically(folder / _RELEASE, encode(release, limits), durable=False)
        remove_leftovers(folder)
        with storing(folder):
            self._chunk_indices = {int(path.stem) for path in folder.glob("*.chunk") if path.stem.isdigit()}

    def window(self) -> list[int]:
        """Return the indices of the next window to request."""
        absent = [index for index in range(self.release.chunks) if index not in self._chunk_indices]
        return absent[: self._limits.max_fetch]

    def add(self, index: int, data: bytes) -> bool:
        """Store a chunk; return False for a duplicate. Raises TransferError for a wrong index or size."""
        if not 0 <= index < self.release.chunks:
            raise TransferError(f"chunk index is {index}, the bundle has 0..{self.release.chunks - 1}")
        expected = min(self.release.chunk_size, self.release.size - index * self.release.chunk_size)
        if len(data) != expected:
            raise TransferError(f"chunk {index} is {len(data)} bytes, it must be {expected}")
        if index in self._chunk_indices:
            return False
        # Not durable: the final digest detects damage by a power cut.
        write_atomically(self._folder / f"{index}.chunk", data, durable=False)
        self._chunk_indices.add(index)
        return True

    @property
    def complete(self) -> bool:
        """Whether all chunks are stored."""
        return len(self._chunk_indices) == self.release.chunks

    def assemble(self, target: Path) -> None:
        """Write the signed file; where its digest differs, discard the chunks and raise TransferError."""
        parts = [
            read_limited(self._folder / f"{index}.chunk", self._limits.chunk_bytes)
            for index in range(self.release.chunks)
        ]
        data = b"".join(parts)
        digest = hashlib.sha256(data).digest()
        if digest != self.release.bundle:
            self.discard()
            raise TransferError(
                f"bundle has digest {digest.hex()[:16]}, the announced digest is {self.release.bundle.hex()[:16]}"
            )
        write_atomically(target, data)

    def discard(self) -> None:
        """Remove the chunks."""
        remove(self._folder)
        self._chunk_indices.clear()


def resumable(folder: Path, limits: Limits = DEFAULT_LIMITS) -> Release | None:
    """Return the release whose download began in `folder`, None where there is none."""
    path = folder / _RELEASE
    if not path.exists():
        return None
    try:
        message = decode(read_limited(path, limits.max_message_bytes), limits)
    except (StorageError, ProtocolError):
        return None
    return message if isinstance(message, Release) else None


class ReleaseFetcher:
    """Downloads releases: announcements and chunks in, fetches out; `ready` is a complete signed file to install."""

    def __init__(
        self,
        device: str,
        slots: Slots,
        folder: Path,
        *,
        limits: Limits = DEFAULT_LIMITS,
        backoff: Backoff | None = None,
    ) -> None:
        self._device = device
        self._slots = slots
        self._incoming = folder
        self._folder = folder / "download"
        self._limits = limits
        self._backoff = backoff or Backoff()
        self._download: Download | None = None
        self._pending: set[int] = set()
        self._attempts = 0
        self._damaged = 0
        self._retry_at_s = 0.0
        self._install_due_s = 0.0
        self._postponed = 0
        self.ready: tuple[Release, Path] | None = None

    def release(self, release: Release, now_s: float) -> list[Message]:
        """Return the first fetch of a new release, or a report for one that this device refuses."""
        digest = release.bundle.hex()
        current = self._slots.state.current
        if digest in self._slots.state.refused:
            return [self.health(release.bundle, release.version, "refused", "it failed here before")]
        if self._is_ready(release) or (current is not None and current.signed == digest):
            return []
        if current is not None and current.is_signed and release.version < current.version:
            older = f"version {release.version} is older than the installed {current.version}"
            return [self.health(release.bundle, release.version, "refused", older)]
        if self._download is not None and self._download.release == release:
            return []
        self._sweep()
        self._download = Download(self._folder, release, self._limits)
        self._attempts = self._damaged = 0
        if self._download.complete:
            return self._complete(self._download, now_s)
        return self._fetch(self._download, now_s)

    def connected(self, now_s: float) -> list[Message]:
        """Repeat the open request at once: it may have been lost with the connection."""
        self._sweep()  # files of an agent that was killed during an installation
        self._attempts = 0
        self._retry_at_s = now_s
        return self.tick(now_s)

    def tick(self, now_s: float) -> list[Message]:
        """Repeat the request for chunks that have timed out."""
        if self._download is None or now_s < self._retry_at_s:
            return []
        if self._download.complete:
            return self._complete(self._download, now_s)
        return self._fetch(self._download, now_s)

    def chunk(self, chunk: Chunk, now_s: float) -> list[Message]:
        """Store a chunk; return the next fetch after the last of a window. Chunks of other bundles are ignored."""
        download = self._download
        if download is None or chunk.transfer != download.release.bundle:
            return []
        if download.add(chunk.index, chunk.data):
            self._attempts = 0
            self._retry_at_s = now_s + self._backoff.wait_s(0)
        self._pending.discard(chunk.index)
        if download.complete:
            return self._complete(download, now_s)
        return [] if self._pending else self._fetch(download, now_s)

    def installable(self, now_s: float) -> tuple[Release, Path] | None:
        """Return the complete download where it may be installed now."""
        return self.ready if now_s >= self._install_due_s else None

    def postpone(self, release: Release, reason: str, now_s: float) -> None:
        """Retry an installation later, after a failure caused by this device and not by the bundle."""
        if not self._is_ready(release):
            self._sweep()
            return
        wait_s = self._backoff.wait_s(self._postponed)
        self._postponed += 1
        self._install_due_s = now_s + wait_s
        _log.warning("version %d is installed later, in %.0f s: %s", release.version, wait_s, reason)

    def settled(self, release: Release, *, error: str, quality: HeldOutQuality | None = None) -> Health:
        """Return the report of an installation that ended, with `error` empty where it succeeded.

        `quality` is that of the new bundle on the owner's held-out examples.
        """
        if self._is_ready(release):
            self.ready = None
        self._sweep()
        if error:
            try:
                self._slots.refuse(release.bundle.hex())
            except StorageError as problem:
                _log.error("a refused bundle cannot be noted, it may be fetched again: %s", problem)
        state = "refused" if error else "installed"
        return self.health(release.bundle, release.version, state, error, quality)

    def health(
        self, bundle: bytes, version: int, state: str, detail: str = "", quality: HeldOutQuality | None = None
    ) -> Health:
        """Return a report on a bundle: installed, rolled-back or refused."""
        return Health(
            device=self._device,
            bundle=bundle,
            version=version,
            state=state,  # type: ignore[arg-type]  # the message checks it when it is encoded
            detail=clip_text(detail, self._limits),
            held_out=None if quality is None else quality.held_out,
            uar=None if quality is None else quality.uar,
            loss=None if quality is None else quality.loss,
        )

    def _fetch(self, download: Download, now_s: float) -> list[Message]:
        window = download.window()
        self._pending = set(window)
        self._retry_at_s = now_s + self._backoff.wait_s(self._attempts)
        self._attempts += 1
        return [Fetch(device=self._device, bundle=download.release.bundle, indices=window)]

    def _complete(self, download: Download, now_s: float) -> list[Message]:
        file = self._incoming / f"{download.release.bundle.hex()}.bundle"
        try:
            download.assemble(file)
        except TransferError as error:
            return self._restart(download.release, error, now_s)
        except StorageError as error:
            # A full disk: the chunks stay, and the next tick tries again.
            _log.error("bundle cannot be stored: %s", error)
            self._retry_at_s = now_s + self._backoff.longest_s
            return []
        download.discard()
        self._download = None
        self.ready = (download.release, file)
        self._install_due_s, self._postponed = now_s, 0
        return []

    def _is_ready(self, release: Release) -> bool:
        return self.ready is not None and self.ready[0].bundle == release.bundle

    def _sweep(self) -> None:
        """Remove signed files that no installation waits for."""
        for path in self._incoming.glob("*.bundle"):
            if self.ready is None or path != self.ready[1]:
                remove(path)

    def _restart(self, release: Release, error: TransferError, now_s: float) -> list[Message]:
        """Restart the download after a digest mismatch; refuse the release after `MAX_DIGEST_MISMATCHES` of them."""
        self._damaged += 1
        _log.warning("%s", error)
        if self._damaged >= MAX_DIGEST_MISMATCHES:
            self._download = None
            return [self.settled(release, error=str(error))]
        self._download = Download(self._folder, release, self._limits)
        return self._fetch(self._download, now_s)
