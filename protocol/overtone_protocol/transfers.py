"""Transfers: how a payload larger than a message travels, is resumed, and is acknowledged."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from overtone_protocol.schema import (
    Choice,
    DeviceId,
    Digest,
    Many,
    Octets,
    SenderId,
    Span,
    Text,
    Token,
    Whole,
)

PURPOSES = ("update",)
STATUSES = ("accepted", "duplicate", "refused", "late")
Purpose = Annotated[Literal["update"], Choice(PURPOSES)]
Status = Annotated[Literal["accepted", "duplicate", "refused", "late"], Choice(STATUSES)]
ChunkSize = Annotated[int, Whole(1, "chunk_bytes")]
Chunks = Annotated[int, Whole(1, "max_chunks")]


@dataclass(frozen=True)
class Offer:
    """Announces a payload in the device's outbox; `transfer` is its SHA-256, `size` its bytes."""

    kind: ClassVar[str] = "offer"

    device: DeviceId
    transfer: Digest
    purpose: Purpose
    round_id: Token
    size: Annotated[int, Whole(1, "max_update_bytes")]
    chunk_size: ChunkSize
    chunks: Chunks


@dataclass(frozen=True)
class Wanted:
    """Names the chunks that are missing, as inclusive ranges, lowest first; perhaps not all of them."""

    kind: ClassVar[str] = "wanted"

    transfer: Digest
    missing: Annotated[Sequence[tuple[int, int]], Many(Span(), 1, "max_ranges")]

    def __post_init__(self) -> None:
        object.__setattr__(self, "missing", tuple((first, last) for first, last in self.missing))


@dataclass(frozen=True)
class Chunk:
    """Carries chunk `index` of a payload; `device` is the sender, "aggregator" on the way down."""

    kind: ClassVar[str] = "chunk"

    device: SenderId
    transfer: Digest
    index: Annotated[int, Whole(0, "last_chunk")]
    data: Annotated[bytes, Octets(1, "chunk_bytes")]


@dataclass(frozen=True)
class Receipt:
    """The aggregator's word on a whole payload; nothing else empties the outbox."""

    kind: ClassVar[str] = "receipt"

    transfer: Digest
    status: Status
    reason: Text = ""
