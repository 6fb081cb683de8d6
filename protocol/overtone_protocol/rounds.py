"""Rounds: the aggregator's call and the device's reply."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from overtone_protocol.schema import INT63, Boolean, Choice, Count, DeviceId, Digest, Real, Text, Token, Whole

SCOPES = ("head", "full")
Scope = Annotated[Literal["head", "full"], Choice(SCOPES)]
Steps = Annotated[int, Whole(1, 100_000)]
MAX_DEADLINE_S = 30 * 24 * 3600.0


@dataclass(frozen=True)
class RoundCall:
    """Asks one device to train `steps` steps from the weights `base` and to offer its update.

    `deadline_s` counts from the moment the message is sent; `max_norm` is the largest Euclidean norm of
    an update that the aggregator takes.
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
    seed: Annotated[int, Whole(0, INT63)]
    deadline_s: Annotated[float, Real(0.0, MAX_DEADLINE_S)]
    max_norm: Annotated[float, Real(0.0, 1e9)]


@dataclass(frozen=True)
class RoundReply:
    """Joins a round, or declines it with a reason (`code: text`, the code one of `DECLINE_CODES`)."""

    kind: ClassVar[str] = "round-reply"

    device: DeviceId
    round_id: Token
    joining: Boolean
    reason: Text = ""
