"""Federated round on the device: messages in, messages out. No clock, no network, no training."""

import random
import uuid
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from overtone_edge.state.assignment import AssignmentStore
from overtone_edge.state.outbox import Outbox, OutboxEntry
from overtone_models.front_end import F32
from overtone_models.layout import SCOPES
from overtone_protocol import (
    DEFAULT_LIMITS,
    Chunk,
    Limits,
    Message,
    Receipt,
    RoundCall,
    RoundReply,
    Update,
    Wanted,
    check_update,
    clip_text,
    encode_update,
    expand,
    split,
)

MAX_OUTBOX_UPDATES = 8
WINDOW_CHUNKS = 16


@dataclass(frozen=True, kw_only=True)
class Backoff:
    """Retry waits with exponential backoff and jitter, which spreads the devices.

    `draw` returns random numbers in 0..1.
    """

    first_s: float = 5.0
    longest_s: float = 300.0
    draw: Callable[[], float] = random.random

    def wait_s(self, attempts: int) -> float:
        """Return the wait after the `attempts`-th attempt, times a random factor of 0.5 to 1.5."""
        return min(self.first_s * 2.0 ** min(attempts, 30), self.longest_s) * (0.5 + self.draw())


@dataclass(frozen=True, kw_only=True)
class Readiness:
    """Readiness for a round: the installed model and the number of examples for it.

    Digests have 32 bytes and are None without a bundle. `scopes` are those that the installed network can train here:
    of a window network the head alone.
    """

    base: bytes | None = None
    layout: bytes | None = None
    front_end: bytes | None = None
    examples: int = 0
    scopes: tuple[str, ...] = SCOPES


@dataclass(frozen=True)
class TrainingReport:
    """Result of a round's training."""

    delta: F32
    examples: int
    loss_before: float
    loss_after: float


class RoundClient:
    """Answers round calls, uploads updates, and repeats offers until the aggregator answers."""

    def __init__(
        self,
        device: str,
        assignments: AssignmentStore,
        outbox: Outbox,
        *,
        min_examples: int,
        willing: bool = True,
        limits: Limits = DEFAULT_LIMITS,
        backoff: Backoff | None = None,
    ) -> None:
        self._device = device
        self._assignments = assignments
        self._outbox = outbox
        self._min_examples = min_examples
        self._willing = willing
        self._limits = limits
        self._backoff = backoff or Backoff()
        self._attempts: dict[bytes, int] = {}
        self._retry_at_s: dict[bytes, float] = {}

    def connected(self, now_s: float) -> list[Message]:
        """Return offers of all updates in the outbox: messages in transit may be lost."""
        self._attempts.clear()
        self._retry_at_s.clear()
        return self.tick(now_s)

    def tick(self, now_s: float) -> list[Message]:
        """Return the offers whose retry time has come."""
        return [
            self._offer(p, now_s) for p in self._outbox.entries() if self._retry_at_s.get(p.transfer, now_s) <= now_s
        ]

    def call(self, call: RoundCall, readiness: Readiness, *, received_s: float, now_s: float) -> list[Message]:
        """Return the reply to a call; a call that the device joins becomes the current assignment.

        `received_s` is Unix time, `now_s` the clock of `tick`. The same call again changes nothing.
        """
        entry = self._outbox.for_round(call.round_id)
        if entry is not None:
            return [self._reply(call, True, "the update is offered"), self._offer(entry, now_s)]
        if self._assignments.is_complete(call.round_id):
            return [self._reply(call, True, "done: the update was uploaded")]
        current = self._assignments.current
        if current is not None and current.call.round_id == call.round_id:
            return [self._reply(call, True, "training")]
        refusal = self._refusal(call, readiness)
        if not refusal:
            self._assignments.assign(call, received_s)
        return [self._reply(call, not refusal, refusal)]

    def _refusal(self, call: RoundCall, readiness: Readiness) -> str:
        """Return why the device does not join, empty where it does."""
        if not self._willing:
            return "unwilling: federated learning is turned off on this device"
        if readiness.base is None or readiness.layout is None:
            return "no-bundle: no bundle is installed"
        if other := _other_model(call, readiness):
            return other
        if readiness.examples < self._min_examples:
            return f"too-few-examples: there are {readiness.examples}, limit is {self._min_examples}"
        count = len(self._outbox.entries())
        if count >= MAX_OUTBOX_UPDATES:
            return f"outbox-full: {count} updates wait for a receipt, limit is {MAX_OUTBOX_UPDATES}"
        return ""

    def decline(self, reason: str) -> list[Message]:
        """Drop the current assignment and return the reply with the reason."""
        current = self._assignments.current
        if current is None:
            return []
        self._assignments.drop()
        return [self._reply(current.call, False, reason)]

    def finished(self, report: TrainingReport, readiness: Readiness, now_s: float) -> list[Message]:
        """Put the current assignment's update into the outbox and return its offer.

        Raises UpdateError for an update that the aggregator would refuse, StorageError for a full disk.
        """
        current = self._assignments.current
        if current is None or readiness.base is None or readiness.layout is None or readiness.front_end is None:
            return []
        call = current.call
        update = Update(
            update_id=uuid.uuid4().bytes,
            device=self._device,
            round_id=call.round_id,
            scope=call.scope,
            base=call.base,
            layout=call.layout,
            front_end=readiness.front_end,
            examples=report.examples,
            steps=call.steps,
            loss_before=report.loss_before,
            loss_after=report.loss_after,
            encoding="f32",
            delta=np.ascontiguousarray(report.delta, np.float32),
        )
        check_update(
            update,
            round_id=call.round_id,
            base=readiness.base,
            layout=readiness.layout,
            front_end=readiness.front_end,
            size=report.delta.size,
            limits=self._limits,
        )
        entry = self._outbox.put(call.round_id, encode_update(update, self._limits))
        self._assignments.finish(call.round_id)
        return [self._offer(entry, now_s)]

    def wanted(self, request: Wanted, now_s: float) -> list[Message]:
        """Return one window of the requested chunks, followed by an offer where more are missing.

        A payload that has left the outbox is not an error. Raises TransferError for chunks outside the payload.
        """
        entry = self._outbox.find(request.transfer)
        if entry is None:
            return []
        chunks = split(self._outbox.read(entry), self._limits.chunk_bytes)
        indices = expand(request.missing, len(chunks))
        messages: list[Message] = [
            Chunk(device=self._device, transfer=entry.transfer, index=index, data=chunks[index])
            for index in indices[:WINDOW_CHUNKS]
        ]
        self._attempts[entry.transfer] = 0
        if len(indices) > WINDOW_CHUNKS:
            return [*messages, self._offer(entry, now_s)]
        self._retry_at_s[entry.transfer] = now_s + self._backoff.wait_s(0)
        return messages

    def receipt(self, receipt: Receipt) -> OutboxEntry | None:
        """Remove the update that this receipt settles from the outbox, and return it."""
        entry = self._outbox.find(receipt.transfer)
        if entry is not None:
            self._outbox.remove(receipt.transfer)
        self._attempts.pop(receipt.transfer, None)
        self._retry_at_s.pop(receipt.transfer, None)
        return entry

    def _offer(self, entry: OutboxEntry, now_s: float) -> Message:
        attempts = self._attempts.get(entry.transfer, 0)
        self._attempts[entry.transfer] = attempts + 1
        self._retry_at_s[entry.transfer] = now_s + self._backoff.wait_s(attempts)
        return self._outbox.offer(entry, self._device)

    def _reply(self, call: RoundCall, joining: bool, reason: str) -> RoundReply:
        return RoundReply(
            device=self._device,
            round_id=call.round_id,
            joining=joining,
            reason=clip_text(reason, self._limits),
        )


def _other_model(call: RoundCall, readiness: Readiness) -> str:
    """Return why the call is not for the installed network, empty where it is."""
    for code, theirs, ours in (
        ("wrong-base", call.base, readiness.base),
        ("wrong-layout", call.layout, readiness.layout),
    ):
        if theirs != ours:
            return f"{code}: the call has {theirs.hex()[:12]}, installed is {ours.hex()[:12] if ours else 'nothing'}"
    if call.scope not in readiness.scopes:
        scopes = ", ".join(readiness.scopes)
        return f"wrong-scope: the call is for {call.scope}, the installed network learns {scopes} on devices"
    return ""
