"""Transaction logic of the aggregator: messages, ticks and verdicts in, messages out.

Every method works inside the caller's transaction. The caller commits the session, then publishes the returned
messages, then acknowledges the message it received (see `aggregator.py`). No threads, no clock, no network here.
"""

import logging

from sqlalchemy.orm import Session

from overtone_cloud.aggregator import journal, registry
from overtone_cloud.aggregator.config import AggregatorConfig
from overtone_cloud.aggregator.errors import ReleaseError
from overtone_cloud.aggregator.gatekeeper import ClosedRound, ReleasedModel, Verdict
from overtone_cloud.aggregator.journal import note
from overtone_cloud.aggregator.message_codec import MessageCodec, OutgoingMessage
from overtone_cloud.aggregator.releases import BundleReader
from overtone_cloud.aggregator.round_keeper import Memory, RoundKeeper
from overtone_cloud.aggregator.rounds import DevicesPresent, Reply, Tick, UpdateAccepted
from overtone_cloud.aggregator.transfers import Answer, Transfers
from overtone_protocol import Chunk, Fetch, Health, MessageError, Offer, Presence, RoundReply

log = logging.getLogger(__name__)


class Coordinator:
    """Dispatches messages and ticks to transfers, releases, the device registry and the round."""

    def __init__(self, config: AggregatorConfig, initial: ReleasedModel) -> None:
        self._codec = MessageCodec(config.aggregator.fleet, config.limits)
        self._transfers = Transfers(limits=config.limits, quota=config.transfers)
        self._bundles = BundleReader(config.limits)
        self._rounds = RoundKeeper(config, initial, self._codec, self._transfers)
        self.opening = True
        """Whether new rounds may open."""

    @property
    def memory(self) -> Memory:
        """The model and the round in memory; `rollback` restores them."""
        return self._rounds.memory

    @property
    def subscriptions(self) -> tuple[str, ...]:
        """The MQTT topic filters that the aggregator subscribes to."""
        return self._codec.subscriptions

    def rollback(self, memory: Memory) -> None:
        """Restore `memory` after a transaction that was rolled back."""
        self._rounds.memory = memory
        self._transfers.forget()

    def start(self, session: Session, now: float) -> list[OutgoingMessage]:
        """Resume from the database; return the messages to publish."""
        return self._rounds.start(session, now)

    def message(self, session: Session, topic: str, payload: bytes, now: float) -> list[OutgoingMessage]:
        """Process one message; an invalid one is recorded as an event and otherwise ignored."""
        try:
            device, message = self._codec.read(topic, payload)
        except MessageError as error:
            note(session, "bad-message", "", f"{topic[:200]}: {error}", now)
            return []
        match message:
            case None:
                registry.mark_offline(session, device, now)
            case Presence():
                if registry.note_presence(session, message, now):
                    return self._rounds.call(session, device, now)
            case Health():
                registry.note_health(session, message)
                text = f"release {message.version} {message.detail}".rstrip()
                note(session, f"health-{message.state}", device, text, now)
            case _:
                return self._upward(session, message, now)
        return []

    def tick(self, session: Session, now: float) -> list[OutgoingMessage]:
        """Add traffic to the round, and open or end a round whose time has come."""
        codec = self._codec
        traffic = codec.bytes_up, codec.bytes_down
        if any(traffic) and journal.count_bytes(session, *traffic):
            codec.bytes_up = codec.bytes_down = 0
        phase = self.memory.round.phase
        if phase == "collecting":
            return self._rounds.advance(session, Tick(), now)
        if phase == "waiting" and self.opening:
            return self._rounds.advance(session, DevicesPresent(registry.candidates(session)), now)
        return []

    def closed_round(self, session: Session) -> ClosedRound | None:
        """Return the closed round that waits for averaging and evaluation, None where there is none."""
        return self._rounds.closed_round(session)

    def verdict(self, session: Session, verdict: Verdict, now: float) -> list[OutgoingMessage]:
        """End the round that the verdict is about."""
        return self._rounds.conclude(session, verdict, now)

    def outdated_devices(self, session: Session) -> tuple[str, ...]:
        """Return the ids of online devices that have not reported on the newest release."""
        release = journal.newest_release(session)
        return () if release is None else registry.outdated_devices(session, release.digest)

    def _upward(self, session: Session, message: object, now: float) -> list[OutgoingMessage]:
        """Process a message of a round, a transfer or a rollout."""
        terms = self.memory.terms
        match message:
            case RoundReply():
                return self._reply(session, message, now)
            case Offer(device=device):
                return self._answer(session, device, self._transfers.offer(session, message, terms, now), now)
            case Chunk(device=device):
                return self._answer(session, device, self._transfers.chunk(session, message, terms, now), now)
            case Fetch():
                return self._fetch(session, message, now)
        return []

    def _reply(self, session: Session, reply: RoundReply, now: float) -> list[OutgoingMessage]:
        terms = self.memory.terms
        if terms is None or reply.round_id != terms.round_id or reply.device not in terms.selected:
            return []
        journal.note_reply(session, terms.number, reply, now)
        if not reply.joining:
            note(session, "declined", reply.device, f"round {terms.number}: {reply.reason}", now)
        return self._rounds.advance(session, Reply(reply.device, reply.joining), now)

    def _answer(self, session: Session, device: str, answer: Answer, now: float) -> list[OutgoingMessage]:
        out = [] if answer.message is None else [self._codec.down(device, answer.message)]
        number = self.memory.round.number
        if answer.refused:
            note(session, "not-accepted", device, answer.refused, now)
            journal.count_refusal(session, number, answer.refused)
        if answer.accepted:
            note(session, "accepted", device, f"round {number}", now)
            out += self._rounds.advance(session, UpdateAccepted(device), now)
        return out

    def _fetch(self, session: Session, fetch: Fetch, now: float) -> list[OutgoingMessage]:
        row = journal.release_of(session, fetch.bundle)
        if row is None:
            note(session, "bad-fetch", fetch.device, f"bundle {fetch.bundle.hex()} was never released", now)
            return []
        try:
            return [self._codec.down(fetch.device, chunk) for chunk in self._bundles.window(fetch, row)]
        except ReleaseError as error:
            note(session, "bad-fetch", fetch.device, str(error), now)
            return []
