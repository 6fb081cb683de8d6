"""Release messages: announcement of a signed bundle, fetch of its chunks, health report."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from overtone_protocol.errors import MessageError
from overtone_protocol.schema import Array, Choice, Count, DeviceId, Digest, Integer, Optional, Real, Text
from overtone_protocol.transfers import Chunks, ChunkSize

STATES = ("installed", "rolled-back", "refused")
State = Annotated[Literal["installed", "rolled-back", "refused"], Choice(STATES)]


@dataclass(frozen=True)
class Release:
    """Announcement of a signed bundle (`bundle`: SHA-256 of the file) with the weights `base`; retained."""

    kind: ClassVar[str] = "release"

    bundle: Digest
    version: Count
    size: Annotated[int, Integer(1, "max_bundle_bytes")]
    chunk_size: ChunkSize
    chunks: Chunks
    base: Digest
    round: Count


@dataclass(frozen=True)
class Fetch:
    """Request for one window of up to `max_fetch` chunks of a bundle; answered with `Chunk` on `down`."""

    kind: ClassVar[str] = "fetch"

    device: DeviceId
    bundle: Digest
    indices: Annotated[Sequence[int], Array(Integer(0, "last_chunk"), 1, "max_fetch")]

    def __post_init__(self) -> None:
        object.__setattr__(self, "indices", tuple(self.indices))


@dataclass(frozen=True)
class Health:
    """Report on a bundle's installation on the device; `version` and `bundle` are those of the release.

    A device with held-out labelled utterances may add the quality of an installed bundle on `held_out` of them: `uar`,
    the unweighted average recall (0..1), and `loss`, the mean cross entropy in nats. A report has all three fields
    or none.
    """

    kind: ClassVar[str] = "health"

    device: DeviceId
    bundle: Digest
    version: Count
    state: State
    detail: Text = ""
    held_out: Annotated[int | None, Optional(Integer(1))] = None
    uar: Annotated[float | None, Optional(Real(0.0, 1.0))] = None
    loss: Annotated[float | None, Optional(Real(0.0))] = None

    def __post_init__(self) -> None:
        absent = [name for name in ("held_out", "uar", "loss") if getattr(self, name) is None]
        if len(absent) not in (0, 3):
            raise MessageError(f"health: field {absent[0]} is missing; held_out, uar and loss come together")
