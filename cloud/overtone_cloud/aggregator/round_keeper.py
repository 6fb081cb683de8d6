"""Persistence of rounds and releases: runs the round state machine and writes its decisions to the database.

No threads, no clock, no network: every method works inside the caller's transaction and returns the
messages to publish after its commit.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy.orm import Session

from overtone_cloud.aggregator import journal, registry
from overtone_cloud.aggregator.config import AggregatorConfig
from overtone_cloud.aggregator.errors import AggregatorError, ReleaseError
from overtone_cloud.aggregator.gatekeeper import ClosedRound, ReleasedModel, Verdict
from overtone_cloud.aggregator.journal import note
from overtone_cloud.aggregator.message_codec import MessageCodec, OutgoingMessage
from overtone_cloud.aggregator.releases import measure
from overtone_cloud.aggregator.rounds import Close, Event, Fail, Open, RoundState, following, resume, step
from overtone_cloud.aggregator.state import ReleaseRow, RoundRow
from overtone_cloud.aggregator.transfers import RoundTerms, Transfers
from overtone_protocol import RoundCall


@dataclass(frozen=True, eq=False)
class Memory:
    """State in memory, besides the database; replaced as a whole, so that a rollback is one assignment."""

    model: ReleasedModel
    round: RoundState
    terms: RoundTerms | None = None
    """Requirements on updates; None while no round collects them."""
    ended: int = 0
    """Number of rounds that ended since the process started."""


class RoundKeeper:
    """Runs one round after another; `memory` changes with the transaction, and the caller restores it on rollback."""

    def __init__(
        self,
        config: AggregatorConfig,
        initial: ReleasedModel,
        codec: MessageCodec,
        transfers: Transfers,
        new_id: Callable[[], bytes] = lambda: secrets.token_bytes(16),
    ) -> None:
        self._config = config
        self._codec = codec
        self._transfers = transfers
        self._new_id = new_id
        self.memory = Memory(initial, RoundState(number=1, config=config.round, model=initial.key))

    def start(self, session: Session, now: float) -> list[OutgoingMessage]:
        """Load the newest release and the unfinished round; return the release announcement and the repeated calls."""
        release, model = self._current_release(session, now)
        row = journal.unfinished_round(session)
        number = journal.last_number(session) + 1
        self.memory = Memory(model, RoundState(number=number, config=self._config.round, model=model.key))
        out = [self._codec.release(release)]
        if row is None:
            return out
        state = resume(journal.restore(session, row), now)
        self.memory = replace(self.memory, round=state, terms=self._terms(row, state, model))
        note(session, "resumed", "", f"round {row.number} with {len(state.updated)} updates", now)
        if state.model != model.key:
            return out + self._fail(session, f"superseded by release {model.version}", now)
        for device in state.selected:
            out += self.call(session, device, now)
        return out

    def advance(self, session: Session, event: Event, now: float) -> list[OutgoingMessage]:
        """Step the round state machine and carry out its actions."""
        state, actions = step(self.memory.round, event, now)
        self.memory = replace(self.memory, round=state)
        out: list[OutgoingMessage] = []
        for action in actions:
            match action:
                case Open(devices):
                    out += self._open(session, devices, now)
                case Close(devices):
                    out += self._close(session, devices, now)
                case Fail(reason):
                    out += self._fail(session, reason, now)
        return out

    def call(self, session: Session, device: str, now: float) -> list[OutgoingMessage]:
        """Return the call to a device, unless it has sent an update or declined; devices tolerate a repeated call."""
        state, terms = self.memory.round, self.memory.terms
        if terms is None or device not in terms.selected or device in state.updated | state.declined:
            return []
        config = state.config
        call = RoundCall(
            round=state.number,
            round_id=terms.round_id,
            scope=config.scope,
            base=state.model.base,
            layout=state.model.layout,
            steps=config.steps,
            learning_rate=config.learning_rate,
            momentum=config.momentum,
            seed=config.seed + state.number,
            deadline_s=max(1.0, config.deadline_s - (now - state.opened_at_s)),
            max_norm=terms.max_norm,
        )
        return [self._codec.down(device, call)]

    def closed_round(self, session: Session) -> ClosedRound | None:
        """Return the closed round that waits for averaging and evaluation, None where there is none."""
        state = self.memory.round
        if state.phase != "closed":
            return None
        deltas, examples = journal.contributions(session, state.number)
        release = journal.newest_release(session)
        return ClosedRound(
            round_number=state.number,
            base=self.memory.model,
            part=self.memory.model.layout.scope_slice(state.config.scope),
            deltas=deltas,
            examples=examples,
            server_state=None if release is None else journal.read_server_state(release),
            version=self.memory.model.version + 1,
        )

    def conclude(self, session: Session, verdict: Verdict, now: float) -> list[OutgoingMessage]:
        """End the round that the verdict is about; return the announcement of its release, if it has one."""
        model, out = verdict.model, []
        try:
            file = None if model is None else measure(model.path, self._config.limits)
        except ReleaseError as error:
            file, verdict = None, replace(verdict, outcome="failed", reason=str(error), model=None)
        if model is not None and file is not None:
            row = journal.add_release(session, model, file, verdict.round_number, verdict.server_state, now=now)
            note(session, "released", "", f"version {row.version}, {row.size} bytes", now)
            self.memory = replace(self.memory, model=model)
            out = [self._codec.release(row)]
        self._end(session, verdict, now)
        return out

    def _open(self, session: Session, devices: tuple[str, ...], now: float) -> list[OutgoingMessage]:
        state = self.memory.round
        row = journal.open_round(session, state, self._new_id())
        registry.note_selected(session, devices, state.number)
        self.memory = replace(self.memory, terms=self._terms(row, state, self.memory.model))
        text = f"round {state.number}, scope {state.config.scope}: {', '.join(devices)}"
        note(session, "round-opened", "", text, now)
        return [message for device in devices for message in self.call(session, device, now)]

    def _close(self, session: Session, devices: tuple[str, ...], now: float) -> list[OutgoingMessage]:
        state = self.memory.round
        row = session.get_one(RoundRow, state.number)
        row.phase, row.reason, row.collected_at = "closed", state.reason, now
        self.memory = replace(self.memory, terms=None)
        note(session, "round-closed", "", f"round {state.number}, {state.reason}: {', '.join(devices)}", now)
        return self._late(session, state.number, now)

    def _fail(self, session: Session, reason: str, now: float) -> list[OutgoingMessage]:
        number = self.memory.round.number
        out = self._late(session, number, now)
        self._end(session, Verdict(round_number=number, outcome="failed", reason=reason), now)
        return out

    def _late(self, session: Session, number: int, now: float) -> list[OutgoingMessage]:
        """Return receipts "late" for the transfers that are still open."""
        receipts = self._transfers.close_round(session, number, now)
        for _ in receipts:
            journal.count_refusal(session, number, "late")
        return [self._codec.down(device, receipt) for device, receipt in receipts]

    def _end(self, session: Session, verdict: Verdict, now: float) -> None:
        journal.end_round(session, verdict, now)
        text = f"round {verdict.round_number} {verdict.reason}".rstrip()
        note(session, f"round-{verdict.outcome}", "", text, now)
        memory = self.memory
        ended = replace(memory.round, phase="failed" if verdict.outcome == "failed" else "closed")
        state = following(ended, memory.model.key, self._config.round, now)
        self.memory = Memory(memory.model, state, None, memory.ended + 1)

    def _terms(self, row: RoundRow, state: RoundState, model: ReleasedModel) -> RoundTerms | None:
        if state.phase != "collecting":
            return None
        part = model.layout.scope_slice(state.config.scope)
        return RoundTerms(
            number=row.number,
            round_id=row.round_id,
            scope=state.config.scope,
            model=state.model,
            size=part.stop - part.start,
            max_norm=min(state.config.max_norm, self._config.limits.max_norm),
            selected=frozenset(state.selected),
        )

    def _current_release(self, session: Session, now: float) -> tuple[ReleaseRow, ReleasedModel]:
        """Return the newest release; a configured bundle with a higher version becomes a release first.

        Raises AggregatorError where the configured bundle is not the one that the newest release derives from.
        """
        initial, row = self.memory.model, journal.newest_release(session)
        file = measure(initial.path, self._config.limits)
        if row is None or initial.version > row.version:
            row = journal.add_release(session, initial, file, 0, None, now=now)
            note(session, "released", "", f"version {row.version} from {row.path}", now)
            return row, initial
        release, origin = journal.release_of(session, file.digest), journal.configured_release(session)
        if release is None or (origin is not None and release.version < origin.version):
            raise AggregatorError(
                f"{initial.path}: version {initial.version} is not the bundle that release {row.version} derives from; "
                "a bundle that replaces it needs a higher version"
            )
        weights = journal.read_weights(row.weights)
        return row, replace(initial, path=Path(row.path), version=row.version, weights=weights)
