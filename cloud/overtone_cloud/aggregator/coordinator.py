"""The aggregator's mind: a message, a tick or a verdict in, messages out, inside one transaction.

The caller commits what was written to the session, then sends what was returned, then acknowledges
what came in (see `aggregator.py`). No threads, no clock, no network here.
"""

import logging

from sqlalchemy.orm import Session

from overtone_cloud.aggregator import journal, registry
from overtone_cloud.aggregator.config import AggregatorConfig
from overtone_cloud.aggregator.errors import ReleaseError
from overtone_cloud.aggregator.gatekeeper import Published, Verdict, Work
from overtone_cloud.aggregator.journal import note
from overtone_cloud.aggregator.mailbox import Mailbox, Outgoing
from overtone_cloud.aggregator.releases import Shelf
from overtone_cloud.aggregator.round_keeper import Memory, RoundKeeper
from overtone_cloud.aggregator.rounds import DevicesPresent, Reply, Tick, UpdateAccepted
from overtone_cloud.aggregator.transfers import Answer, Transfers
from overtone_protocol import Chunk, Fetch, Health, MessageError, Offer, Presence, RoundReply

log = logging.getLogger(__name__)


class Coordinator:
    """Routes what happens to transfers, releases, devices and the round."""

    def __init__(self, config: AggregatorConfig, initial: Published) -> None:
        self._mailbox = Mailbox(config.aggregator.fleet, config.limits)
        self._transfers = Transfers(limits=config.limits, quota=config.transfers)
        self._shelf = Shelf(config.limits)
        self._rounds = RoundKeeper(config, initial, self._mailbox, self._transfers)
        self.opening = True
        """Whether new rounds may open."""

    @property
    def memory(self) -> Memory:
        """The model and the round, to go back to with `rollback`."""
        return self._rounds.memory

    @property
    def subscriptions(self) -> tuple[str, ...]:
        """The topic filters the aggregator listens to."""
        return self._mailbox.subscriptions

    def rollback(self, memory: Memory) -> None:
        """Go back to `memory`, after a transaction that was not kept."""
        self._rounds.memory = memory
        self._transfers.forget()

    def start(self, session: Session, now: float) -> list[Outgoing]:
        """Take up where the last process ended."""
        return self._rounds.start(session, now)

    def message(self, session: Session, topic: str, payload: bytes, now: float) -> list[Outgoing]:
        """Take in one message; a bad one is noted and otherwise ignored."""
        try:
            device, message = self._mailbox.read(topic, payload)
        except MessageError as error:
            note(session, "bad-message", "", f"{topic[:200]}: {error}", now)
            return []
        match message:
            case None:
                registry.note_gone(session, device, now)
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

    def tick(self, session: Session, now: float) -> list[Outgoing]:
        """Let time pass."""
        box = self._mailbox
        if (box.bytes_up or box.bytes_down) and journal.count_bytes(session, box.bytes_up, box.bytes_down):
            box.bytes_up = box.bytes_down = 0
        phase = self.memory.round.phase
        if phase == "collecting":
            return self._rounds.advance(session, Tick(), now)
        if phase == "waiting" and self.opening:
            return self._rounds.advance(session, DevicesPresent(registry.candidates(session)), now)
        return []

    def work(self, session: Session) -> Work | None:
        """Return the closed round that is to be averaged and judged, if there is one."""
        return self._rounds.work(session)

    def verdict(self, session: Session, verdict: Verdict, now: float) -> list[Outgoing]:
        """End the round that was judged."""
        return self._rounds.conclude(session, verdict, now)

    def outdated(self, session: Session) -> tuple[str, ...]:
        """Return the devices online that still have to take up the newest release."""
        release = journal.newest_release(session)
        return () if release is None else registry.outdated(session, release.digest)

    def _upward(self, session: Session, message: object, now: float) -> list[Outgoing]:
        """Take in what belongs to a round or a rollout."""
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

    def _reply(self, session: Session, reply: RoundReply, now: float) -> list[Outgoing]:
        terms = self.memory.terms
        if terms is None or reply.round_id != terms.round_id or reply.device not in terms.selected:
            return []
        journal.note_reply(session, terms.number, reply, now)
        if not reply.joining:
            note(session, "declined", reply.device, f"round {terms.number}: {reply.reason}", now)
        return self._rounds.advance(session, Reply(reply.device, reply.joining), now)

    def _answer(self, session: Session, device: str, answer: Answer, now: float) -> list[Outgoing]:
        out = [] if answer.message is None else [self._mailbox.down(device, answer.message)]
        number = self.memory.round.number
        if answer.refused:
            note(session, "not-accepted", device, answer.refused, now)
            journal.count_refusal(session, number, answer.refused)
        if answer.accepted:
            note(session, "accepted", device, f"round {number}", now)
            out += self._rounds.advance(session, UpdateAccepted(device), now)
        return out

    def _fetch(self, session: Session, fetch: Fetch, now: float) -> list[Outgoing]:
        row = journal.release_of(session, fetch.bundle)
        if row is None:
            note(session, "bad-fetch", fetch.device, f"bundle {fetch.bundle.hex()} was never released", now)
            return []
        try:
            return [self._mailbox.down(fetch.device, chunk) for chunk in self._shelf.window(fetch, row)]
        except ReleaseError as error:
            note(session, "bad-fetch", fetch.device, str(error), now)
            return []
