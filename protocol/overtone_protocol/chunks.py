"""Cutting a payload into chunks and putting it together again, in any order; no input or output."""

import hashlib
from collections.abc import Iterable

from overtone_protocol.errors import TransferError
from overtone_protocol.limits import DEFAULT_LIMITS, Limits


def chunk_count(size: int, chunk_size: int) -> int:
    """Return how many chunks of `chunk_size` bytes hold `size` bytes."""
    return -(-size // chunk_size)


def split(payload: bytes, chunk_size: int) -> list[bytes]:
    """Return the chunks of a payload: all of `chunk_size` bytes but perhaps the last."""
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
            raise TransferError(f"chunks {first}..{last} are wanted, the payload has 0..{chunks - 1}")
        indices.update(range(first, last + 1))
    return sorted(indices)


class Assembly:
    """The chunks of one payload that have arrived; `transfer` is the payload's SHA-256 (32 bytes)."""

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
        """Keep a chunk and return True; return False when it is here already (the first one stays)."""
        if not 0 <= index < self.chunks:
            raise TransferError(f"chunk index is {index}, the payload has 0..{self.chunks - 1}")
        wanted = min(self.chunk_size, self.size - index * self.chunk_size)
        if len(data) != wanted:
            raise TransferError(f"chunk {index} is {len(data)} bytes, it must be {wanted}")
        if index in self._parts:
            return False
        self._parts[index] = data
        return True

    def missing(self, limit: int | None = None) -> list[tuple[int, int]]:
        """Return the first `limit` inclusive ranges of chunks that are not here, ascending (None: all)."""
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
        """Return the first `count` indices that are not here: what the next Fetch asks for."""
        absent = (index for index in range(self.chunks) if index not in self._parts)
        return [index for index, _ in zip(absent, range(count), strict=False)]

    @property
    def received(self) -> int:
        """How many chunks are here."""
        return len(self._parts)

    @property
    def complete(self) -> bool:
        """Whether every chunk is here."""
        return len(self._parts) == self.chunks

    def payload(self) -> bytes:
        """Return the payload; raise TransferError when chunks are missing or the digest differs.

        After a different digest the chunks are of no use: the owner begins a new Assembly.
        """
        if not self.complete:
            raise TransferError(f"{self.received} of {self.chunks} chunks have arrived")
        payload = b"".join(self._parts[index] for index in range(self.chunks))
        digest = hashlib.sha256(payload).digest()
        if digest != self.transfer:
            raise TransferError(f"payload has digest {digest.hex()}, announced was {self.transfer.hex()}")
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
    if chunks != chunk_count(size, chunk_size):
        wanted = chunk_count(size, chunk_size)
        raise TransferError(f"chunks is {chunks}, {size} bytes in chunks of {chunk_size} make {wanted}")
