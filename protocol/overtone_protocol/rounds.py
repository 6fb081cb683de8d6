"""Round messages: the aggregator's call and the device's reply."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from overtone_protocol.schema import INT63, Boolean, Choice, Count, DeviceId, Digest, Integer, Real, Text, Token

SCOPES = ("head", "full")
Scope = Annotated[Literal["head", "full"], Choice(SCOPES)]
Steps = Annotated[int, Integer(1, 100_000)]
MAX_DEADLINE_S = 30 * 24 * 3600.0


@dataclass(frozen=True)
class RoundCall:
    """Request to one device to train `steps` steps from the weights `base` and to offer its update.

    `deadline_s` counts from the sending of the message; `max_norm` is the largest Euclidean norm that the
    aggregator accepts in an update.
    """

    kind: ClassVar[str] = "round-call"

    round: Count
    round_id: Token
    scope: Scope
    base: Digest
    layout: Digest
    steps: Steps
    learning_rate: Annotated[float, Real(0.0, 100.0)]
    momentum: Annotated[float, Real(0.0, 1.0)]
    seed: Annotated[int, Integer(0, INT63)]
    deadline_s: Annotated[float, Real(0.0, MAX_DEADLINE_S)]
    max_norm: Annotated[float, Real(0.0, 1e9)]


@dataclass(frozen=True)
class RoundReply:
    """Answer to a call: the device joins, or declines with a reason (`code: text`, code in `DECLINE_CODES`)."""

    kind: ClassVar[str] = "round-reply"

    device: DeviceId
    round_id: Token
    joining: Boolean
    reason: Text = ""
