"""Queries and records of rounds, replies, releases and events in the database."""

import logging
from dataclasses import asdict

import numpy as np
from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from overtone_cloud.aggregator.averaging import F32
from overtone_cloud.aggregator.cohort import ModelKey
from overtone_cloud.aggregator.gatekeeper import ReleasedModel, Verdict
from overtone_cloud.aggregator.releases import SignedFile
from overtone_cloud.aggregator.rounds import Phase, RoundConfig, RoundState
from overtone_cloud.aggregator.server_optimizers import State
from overtone_cloud.aggregator.state import (
    EventRow,
    ReleaseRow,
    RoundRow,
    SelectionRow,
    TransferRow,
    UpdateRow,
)
from overtone_protocol import RoundReply

KEEP_EVENTS = 5000
KEEP_TRANSFERS_ROUNDS = 50
KEEP_WEIGHTS_RELEASES = 2

log = logging.getLogger(__name__)


def note(session: Session, kind: str, device: str, detail: str, now: float) -> None:
    """Store an event for the operator, and log it."""
    log.info("%s %s %s", kind, device, detail)
    session.add(EventRow(at=now, kind=kind, device=device, detail=detail))


def open_round(session: Session, state: RoundState, round_id: bytes) -> RoundRow:
    """Insert a new round with its cohort."""
    row = RoundRow(
        number=state.number,
        round_id=round_id,
        phase=state.phase,
        config=asdict(state.config),
        base=state.model.base,
        layout=state.model.layout,
        front_end=state.model.front_end,
        opened_at=state.opened_at_s,
        refused={},
    )
    session.add(row)
    session.flush()
    session.add_all(SelectionRow(round=state.number, device=device) for device in state.selected)
    return row


def unfinished_round(session: Session) -> RoundRow | None:
    """Return the unfinished round, None where there is none."""
    return session.scalars(select(RoundRow).where(RoundRow.phase != "ended")).first()


def last_number(session: Session) -> int:
    """Return the number of the newest round; 0 before the first."""
    return session.scalar(select(func.max(RoundRow.number))) or 0


def restore(session: Session, row: RoundRow) -> RoundState:
    """Return the state of an unfinished round from its rows."""
    selections = session.scalars(select(SelectionRow).where(SelectionRow.round == row.number)).all()
    updated = frozenset(session.scalars(select(UpdateRow.device).where(UpdateRow.round == row.number)))
    phase: Phase = "collecting" if row.phase == "collecting" else "closed"
    return RoundState(
        number=row.number,
        config=RoundConfig(**row.config),
        model=ModelKey(base=row.base, layout=row.layout, front_end=row.front_end),
        phase=phase,
        opened_at_s=row.opened_at,
        called_at_s=row.opened_at,
        selected=tuple(sorted(s.device for s in selections)),
        joined=frozenset(s.device for s in selections if s.joining) | updated,
        declined=frozenset(s.device for s in selections if s.joining is False) - updated,
        updated=updated,
        reason=row.reason,
    )


def note_reply(session: Session, number: int, reply: RoundReply, now: float) -> None:
    """Store a device's reply to the call."""
    selection = session.get(SelectionRow, (number, reply.device))
    if selection is not None:
        selection.joining, selection.reason, selection.replied_at = reply.joining, reply.reason, now


def count_refusal(session: Session, number: int, text: str) -> None:
    """Count a payload that was not accepted; `text` is `status: code: ...`."""
    row = session.get(RoundRow, number)
    if row is None:
        return
    parts = [part.strip() for part in text.split(":")]
    reason = parts[1] if parts[0] == "refused" and len(parts) > 1 else parts[0]
    row.refused = {**row.refused, reason: row.refused.get(reason, 0) + 1}


def count_bytes(session: Session, up: int, down: int) -> bool:
    """Add traffic to the newest round; return False where there is no round yet."""
    row = session.get(RoundRow, last_number(session))
    if row is None:
        return False
    row.bytes_up += up
    row.bytes_down += down
    return True


def contributions(session: Session, number: int) -> tuple[tuple[F32, ...], tuple[int, ...]]:
    """Return deltas and example counts of a round's ledger, ordered by device."""
    rows = session.scalars(select(UpdateRow).where(UpdateRow.round == number).order_by(UpdateRow.device)).all()
    return tuple(read_weights(row.delta) for row in rows), tuple(row.examples for row in rows)


def end_round(session: Session, verdict: Verdict, now: float) -> None:
    """Store the outcome of a round; the deltas of single devices are erased, their ledger entries stay."""
    row = session.get_one(RoundRow, verdict.round_number)
    row.phase, row.ended_at = "ended", now
    row.outcome = verdict.outcome
    row.reason = verdict.reason or row.reason
    if verdict.model is not None:
        row.version = verdict.model.version
    if verdict.before is not None:
        row.uar_before, row.loss_before, row.evaluated = (
            verdict.before.uar,
            verdict.before.loss,
            verdict.before.n,
        )
    if verdict.after is not None:
        row.uar_after, row.loss_after = verdict.after.uar, verdict.after.loss
    row.average_s, row.evaluate_s, row.publish_s = verdict.average_s, verdict.evaluate_s, verdict.publish_s
    session.execute(update(UpdateRow).where(UpdateRow.round == row.number).values(delta=b""))
    _prune(session, row.number)


def add_release(
    session: Session,
    model: ReleasedModel,
    file: SignedFile,
    round_number: int,
    server_state: State,
    *,
    now: float,
) -> ReleaseRow:
    """Insert a release; the weights of all but the newest `KEEP_WEIGHTS_RELEASES` are erased."""
    row = ReleaseRow(
        version=model.version,
        round=round_number,
        path=str(model.path),
        digest=file.digest,
        size=file.size,
        base=model.key.base,
        layout=model.key.layout,
        front_end=model.key.front_end,
        weights=model.weights.astype("<f4").tobytes(),
        velocity=None if server_state is None else server_state.astype("<f8").tobytes(),
        released_at=now,
    )
    session.add(row)
    session.flush()
    old = select(ReleaseRow).where(ReleaseRow.version <= model.version - KEEP_WEIGHTS_RELEASES)
    for earlier in session.scalars(old):
        earlier.weights, earlier.velocity = b"", None
    return row


def newest_release(session: Session) -> ReleaseRow | None:
    """Return the release with the highest version."""
    return session.scalars(select(ReleaseRow).order_by(ReleaseRow.version.desc())).first()


def configured_release(session: Session) -> ReleaseRow | None:
    """Return the newest release that comes from the configuration and not from a round."""
    configured = select(ReleaseRow).where(ReleaseRow.round == 0)
    return session.scalars(configured.order_by(ReleaseRow.version.desc())).first()


def release_of(session: Session, digest: bytes) -> ReleaseRow | None:
    """Return the release whose signed bundle has this digest, None where there is none."""
    return session.scalars(select(ReleaseRow).where(ReleaseRow.digest == digest)).first()


def read_weights(data: bytes) -> F32:
    """Return a flat vector from little-endian float32 bytes."""
    return np.frombuffer(data, "<f4").astype(np.float32)


def read_server_state(row: ReleaseRow) -> State:
    """Return the server optimiser's state at a release, None where there is none."""
    return None if row.velocity is None else np.frombuffer(row.velocity, "<f8").astype(np.float64)


def _prune(session: Session, number: int) -> None:
    old = number - KEEP_TRANSFERS_ROUNDS
    session.execute(delete(TransferRow).where(TransferRow.round < old, TransferRow.status != "open"))
    newest = session.scalar(select(func.max(EventRow.id))) or 0
    session.execute(delete(EventRow).where(EventRow.id <= newest - KEEP_EVENTS))
