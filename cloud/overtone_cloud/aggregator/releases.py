"""Distribution of releases: the retained announcement, and the chunks that devices fetch."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from overtone_cloud.aggregator.errors import ReleaseError
from overtone_cloud.aggregator.state import ReleaseRow
from overtone_protocol import AGGREGATOR, Chunk, Fetch, Limits, Release, chunk_count


@dataclass(frozen=True)
class SignedFile:
    """Digest (32 bytes) and size of a signed bundle."""

    digest: bytes
    size: int


def measure(path: Path, limits: Limits) -> SignedFile:
    """Return digest and size of a signed bundle; raises ReleaseError for a file that is unreadable or too large."""
    try:
        size = path.stat().st_size
        if not 0 < size <= limits.max_bundle_bytes:
            raise ReleaseError(f"{path}: bundle is {size} bytes, limit is {limits.max_bundle_bytes}")
        return SignedFile(hashlib.sha256(path.read_bytes()).digest(), size)
    except OSError as error:
        raise ReleaseError(f"{path}: {error.strerror or error}") from error


def announcement(row: ReleaseRow, limits: Limits) -> Release:
    """Return the retained message of a release."""
    return Release(
        bundle=row.digest,
        version=row.version,
        size=row.size,
        chunk_size=limits.chunk_bytes,
        chunks=chunk_count(row.size, limits.chunk_bytes),
        base=row.base,
        round=row.round,
    )


class BundleReader:
    """Reads windows of chunks from bundle files; caches the last bundle in memory."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._digest = b""
        self._data = b""

    def window(self, fetch: Fetch, row: ReleaseRow) -> list[Chunk]:
        """Return the chunks of one window, ascending; raises ReleaseError for an index outside the bundle."""
        chunk_bytes = self._limits.chunk_bytes
        chunks = chunk_count(row.size, chunk_bytes)
        if max(fetch.indices) >= chunks:
            raise ReleaseError(f"chunk {max(fetch.indices)} is requested, release {row.version} has 0..{chunks - 1}")
        data = self._load(row)
        return [
            Chunk(
                device=AGGREGATOR,
                transfer=row.digest,
                index=index,
                data=data[index * chunk_bytes : (index + 1) * chunk_bytes],
            )
            for index in sorted(set(fetch.indices))
        ]

    def _load(self, row: ReleaseRow) -> bytes:
        """Return the bundle; raises ReleaseError for a file that is missing or has changed since its release."""
        if self._digest != row.digest:
            try:
                data = Path(row.path).read_bytes()
            except OSError as error:
                raise ReleaseError(f"{row.path}: {error.strerror or error}") from error
            if hashlib.sha256(data).digest() != row.digest:
                raise ReleaseError(f"{row.path}: the file has changed since release {row.version}")
            self._digest, self._data = row.digest, data
        return self._data
