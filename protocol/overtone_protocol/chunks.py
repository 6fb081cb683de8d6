"""Splitting of payloads into chunks, and reassembly in any order; no input or output."""

import hashlib
from collections.abc import Iterable

from overtone_protocol.errors import TransferError
from overtone_protocol.limits import DEFAULT_LIMITS, Limits


def chunk_count(size: int, chunk_size: int) -> int:
    """Return the number of chunks of `chunk_size` bytes in a payload of `size` bytes."""
    return -(-size // chunk_size)


def split(payload: bytes, chunk_size: int) -> list[bytes]:
    """Return the chunks of a payload: each of `chunk_size` bytes, except that the last may be shorter."""
    if not payload:
        raise TransferError("payload is empty, it must have at least 1 byte")
    if chunk_size < 1:
        raise TransferError(f"chunk_size is {chunk_size}, it must be at least 1")
    return [payload[start : start + chunk_size] for start in range(0, len(payload), chunk_size)]


def expand(ranges: Iterable[tuple[int, int]], chunks: int) -> list[int]:
    """Return the indices in inclusive ranges, ascending; raise TransferError outside `0..chunks - 1`."""
    indices: set[int] = set()
    for first, last in ranges:
        if not 0 <= first <= last < chunks:
            raise TransferError(f"chunks {first}..{last} are requested, the payload has 0..{chunks - 1}")
        indices.update(range(first, last + 1))
    return sorted(indices)


class Assembly:
    """Reassembly of one payload from its chunks; `transfer` is the payload's SHA-256 (32 bytes)."""

    def __init__(
        self, transfer: bytes, size: int, chunk_size: int, chunks: int, limits: Limits = DEFAULT_LIMITS
    ) -> None:
        _check_shape(transfer, size, chunk_size, chunks, limits)
        self.transfer = transfer
        self.size = size
        self.chunk_size = chunk_size
        self.chunks = chunks
        self._parts: dict[int, bytes] = {}

    def add(self, index: int, data: bytes) -> bool:
        """Store a chunk and return True; return False for a duplicate, which is ignored."""
        if not 0 <= index < self.chunks:
            raise TransferError(f"chunk index is {index}, the payload has 0..{self.chunks - 1}")
        expected = min(self.chunk_size, self.size - index * self.chunk_size)
        if len(data) != expected:
            raise TransferError(f"chunk {index} is {len(data)} bytes, it must be {expected}")
        if index in self._parts:
            return False
        self._parts[index] = data
        return True

    def missing(self, limit: int | None = None) -> list[tuple[int, int]]:
        """Return the first `limit` inclusive ranges of missing chunks, ascending (None: all)."""
        ranges: list[tuple[int, int]] = []
        for index in range(self.chunks):
            if index in self._parts:
                continue
            if ranges and ranges[-1][1] == index - 1:
                ranges[-1] = (ranges[-1][0], index)
            elif limit is not None and len(ranges) == limit:
                break
            else:
                ranges.append((index, index))
        return ranges

    def window(self, count: int) -> list[int]:
        """Return the first `count` missing indices, for the next Fetch."""
        absent = (index for index in range(self.chunks) if index not in self._parts)
        return [index for index, _ in zip(absent, range(count), strict=False)]

    @property
    def received(self) -> int:
        """Number of received chunks."""
        return len(self._parts)

    @property
    def complete(self) -> bool:
        """Whether every chunk has been received."""
        return len(self._parts) == self.chunks

    def payload(self) -> bytes:
        """Return the payload; raise TransferError where chunks are missing or the digest differs.

        After a digest mismatch the caller starts again with a new Assembly.
        """
        if not self.complete:
            raise TransferError(f"{self.received} of {self.chunks} chunks are received")
        payload = b"".join(self._parts[index] for index in range(self.chunks))
        digest = hashlib.sha256(payload).digest()
        if digest != self.transfer:
            raise TransferError(f"payload has digest {digest.hex()}, the announced digest is {self.transfer.hex()}")
        return payload


def _check_shape(transfer: bytes, size: int, chunk_size: int, chunks: int, limits: Limits) -> None:
    largest = max(limits.max_update_bytes, limits.max_bundle_bytes)
    if len(transfer) != 32:
        raise TransferError(f"transfer is {len(transfer)} bytes, it must be 32")
    bounds = (
        ("size", size, largest),
        ("chunk_size", chunk_size, limits.chunk_bytes),
        ("chunks", chunks, limits.max_chunks),
    )
    for name, value, limit in bounds:
        if not 1 <= value <= limit:
            raise TransferError(f"{name} is {value}, it must lie in 1..{limit}")
    expected = chunk_count(size, chunk_size)
    if chunks != expected:
        raise TransferError(f"chunks is {chunks}, {size} bytes in chunks of {chunk_size} make {expected}")
