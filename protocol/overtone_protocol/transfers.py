"""Transfer messages: offer, chunks and receipt of a payload that is larger than a message."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from overtone_protocol.schema import (
    Array,
    ByteString,
    Choice,
    DeviceId,
    Digest,
    Integer,
    SenderId,
    Span,
    Text,
    Token,
)

PURPOSES = ("update",)
STATUSES = ("accepted", "duplicate", "refused", "late")
Purpose = Annotated[Literal["update"], Choice(PURPOSES)]
Status = Annotated[Literal["accepted", "duplicate", "refused", "late"], Choice(STATUSES)]
ChunkSize = Annotated[int, Integer(1, "chunk_bytes")]
Chunks = Annotated[int, Integer(1, "max_chunks")]


@dataclass(frozen=True)
class Offer:
    """Announcement of a payload in the device's outbox; `transfer` is its SHA-256, `size` its number of bytes."""

    kind: ClassVar[str] = "offer"

    device: DeviceId
    transfer: Digest
    purpose: Purpose
    round_id: Token
    size: Annotated[int, Integer(1, "max_update_bytes")]
    chunk_size: ChunkSize
    chunks: Chunks


@dataclass(frozen=True)
class Wanted:
    """Request for missing chunks, as inclusive ranges, ascending; it may leave some for later."""

    kind: ClassVar[str] = "wanted"

    transfer: Digest
    missing: Annotated[Sequence[tuple[int, int]], Array(Span(), 1, "max_ranges")]

    def __post_init__(self) -> None:
        object.__setattr__(self, "missing", tuple((first, last) for first, last in self.missing))


@dataclass(frozen=True)
class Chunk:
    """Chunk `index` of a payload; `device` is the sender, "aggregator" on the way down."""

    kind: ClassVar[str] = "chunk"

    device: SenderId
    transfer: Digest
    index: Annotated[int, Integer(0, "last_chunk")]
    data: Annotated[bytes, ByteString(1, "chunk_bytes")]


@dataclass(frozen=True)
class Receipt:
    """The aggregator's decision on a complete payload; only a receipt removes an update from the outbox."""

    kind: ClassVar[str] = "receipt"

    transfer: Digest
    status: Status
    reason: Text = ""
