"""Upload of client updates: offers, chunks, validation, ledger and receipts.

Every offer gets an answer: Wanted with the missing chunks, or a Receipt with the status accepted, duplicate, late
or refused and the reason. All methods work inside the caller's transaction; their answers are sent
after its commit.
"""

import logging
from dataclasses import dataclass, replace

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from overtone_cloud.aggregator.cohort import ModelKey
from overtone_cloud.aggregator.config import QuotaConfig
from overtone_cloud.aggregator.state import ChunkRow, RoundRow, TransferRow, UpdateRow
from overtone_protocol import (
    Assembly,
    Chunk,
    Limits,
    Message,
    MessageError,
    Offer,
    Receipt,
    TransferError,
    Update,
    UpdateError,
    Wanted,
    check_update,
    clip_text,
    decode_update,
)

ENVELOPE_BYTES = 4096
"""Allowance for everything in an update except its weights."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class RoundTerms:
    """Requirements on updates of the open round; `size` is the number of weights in its scope."""

    number: int
    round_id: bytes
    scope: str
    model: ModelKey
    size: int
    max_norm: float
    selected: frozenset[str]


@dataclass(frozen=True)
class Answer:
    """Message for the device, and whether its update was accepted or why it was not."""

    message: Message | None = None
    accepted: bool = False
    refused: str = ""


class Transfers:
    """Open transfers, with their chunks in the database and in a cache."""

    def __init__(self, *, limits: Limits, quota: QuotaConfig) -> None:
        self._limits = limits
        self._quota = quota
        self._open: dict[tuple[str, bytes], Assembly] = {}

    def forget(self) -> None:
        """Clear the cache after a transaction that was rolled back."""
        self._open.clear()

    def offer(self, session: Session, offer: Offer, terms: RoundTerms | None, now: float) -> Answer:
        """Return Wanted for an open transfer, else its Receipt."""
        row = session.get(TransferRow, (offer.device, offer.transfer))
        if row is not None and row.status != "open":
            status = "duplicate" if row.status == "accepted" else row.status
            return Answer(_receipt(offer.transfer, status, row.reason, self._limits))
        if terms is None or offer.round_id != terms.round_id:
            return self._without_round(session, offer)
        if row is None:
            refusal = self._refusal(session, offer, terms)
            if refusal is not None:
                status, reason = refusal
                return Answer(_receipt(offer.transfer, status, reason, self._limits), refused=f"{status}: {reason}")
            row = _open(session, offer, terms, now)
        missing = self._assembly(session, row).missing(self._limits.max_ranges)
        return Answer(Wanted(transfer=offer.transfer, missing=missing))

    def chunk(self, session: Session, chunk: Chunk, terms: RoundTerms | None, now: float) -> Answer:
        """Store a chunk; return the Receipt after the last missing one."""
        row = session.get(TransferRow, (chunk.device, chunk.transfer))
        if row is None or row.status != "open":
            return Answer()  # the receipt is already sent, or the device repeats its offer
        assembly = self._assembly(session, row)
        try:
            if assembly.add(chunk.index, chunk.data):
                session.add(ChunkRow(device=chunk.device, transfer=chunk.transfer, index=chunk.index, data=chunk.data))
            if not assembly.complete:
                return Answer()
            if terms is None or terms.round_id != row.round_id:
                return self._finish(session, row, "late", "the round is over", now)
            return self._accept(session, row, assembly.payload(), terms, now)
        except TransferError as error:
            return self._finish(session, row, "refused", f"transfer: {error}", now)

    def close_round(self, session: Session, number: int, now: float) -> list[tuple[str, Message]]:
        """End the open transfers of a round that is over; return each device's receipt."""
        query = select(TransferRow).where(TransferRow.round == number, TransferRow.status == "open")
        answers: list[tuple[str, Message]] = []
        for row in session.scalars(query):
            answer = self._finish(session, row, "late", "the round is over", now)
            if answer.message is not None:
                answers.append((row.device, answer.message))
        return answers

    def _accept(self, session: Session, row: TransferRow, payload: bytes, terms: RoundTerms, now: float) -> Answer:
        """Validate a complete payload and add it to the ledger."""
        try:
            update = decode_update(payload, self._limits)
            self._check(update, row, terms)
        except (MessageError, UpdateError) as error:
            return self._finish(session, row, "refused", str(error), now)
        if _in_ledger(session, update, terms.number):
            return self._finish(session, row, "duplicate", "an update of this round was counted already", now)
        session.add(
            UpdateRow(
                update_id=update.update_id,
                round=terms.number,
                device=update.device,
                transfer=row.transfer,
                examples=update.examples,
                steps=update.steps,
                loss_before=update.loss_before,
                loss_after=update.loss_after,
                encoding=update.encoding,
                payload_bytes=len(payload),
                delta=update.delta.astype("<f4").tobytes(),
                accepted_at=now,
            )
        )
        return self._finish(session, row, "accepted", "", now)

    def _check(self, update: Update, row: TransferRow, terms: RoundTerms) -> None:
        """Raise MessageError or UpdateError unless the update is the device's own and fits the round."""
        if update.device != row.device:
            raise MessageError(f"update names the device {update.device!r}, its sender is {row.device!r}")
        if update.scope != terms.scope:
            raise MessageError(f"update has scope {update.scope!r}, the round has {terms.scope!r}")
        bounds = replace(self._limits, max_norm=terms.max_norm)
        check_update(
            update,
            round_id=terms.round_id,
            base=terms.model.base,
            layout=terms.model.layout,
            front_end=terms.model.front_end,
            size=terms.size,
            limits=bounds,
        )

    def _refusal(self, session: Session, offer: Offer, terms: RoundTerms) -> tuple[str, str] | None:
        """Return status and reason of a new offer's refusal, None for an acceptable one."""
        if offer.device not in terms.selected:
            return "refused", f"not-selected: round {terms.number} did not call {offer.device}"
        counted = select(UpdateRow).where(UpdateRow.round == terms.number, UpdateRow.device == offer.device)
        if session.scalars(counted).first() is not None:
            return "duplicate", "an update of this round was counted already"
        largest = min(self._limits.max_update_bytes, 4 * terms.size + ENVELOPE_BYTES)
        if offer.size > largest:
            return "refused", f"too-large: update is {offer.size} bytes, limit is {largest}"
        try:
            Assembly(offer.transfer, offer.size, offer.chunk_size, offer.chunks, self._limits)
        except TransferError as error:
            return "refused", f"transfer: {error}"
        return self._over_quota(session, offer)

    def _over_quota(self, session: Session, offer: Offer) -> tuple[str, str] | None:
        query = select(func.count(), func.coalesce(func.sum(TransferRow.size), 0)).where(
            TransferRow.device == offer.device, TransferRow.status == "open"
        )
        count, size = session.execute(query).one()
        if count >= self._quota.max_open:
            return "refused", f"quota: {count} transfers are open, limit is {self._quota.max_open}"
        if size + offer.size > self._quota.max_open_bytes:
            total = size + offer.size
            return (
                "refused",
                f"quota: open transfers would be {total} bytes, limit is {self._quota.max_open_bytes}",
            )
        return None

    def _without_round(self, session: Session, offer: Offer) -> Answer:
        """Return the answer to an offer for a round that is not open."""
        row = session.scalars(select(RoundRow).where(RoundRow.round_id == offer.round_id)).first()
        if row is None:
            reason = f"wrong-round: round {offer.round_id.hex()} is unknown here"
            return Answer(_receipt(offer.transfer, "refused", reason, self._limits), refused=f"refused: {reason}")
        reason = f"round {row.number} is over"
        return Answer(_receipt(offer.transfer, "late", reason, self._limits), refused=f"late: {reason}")

    def _assembly(self, session: Session, row: TransferRow) -> Assembly:
        """Return the chunks of an open transfer, from the cache or from the database."""
        key = (row.device, row.transfer)
        if key not in self._open:
            assembly = Assembly(row.transfer, row.size, row.chunk_size, row.chunks, self._limits)
            query = select(ChunkRow).where(ChunkRow.device == row.device, ChunkRow.transfer == row.transfer)
            for chunk in session.scalars(query):
                assembly.add(chunk.index, chunk.data)
            self._open[key] = assembly
        return self._open[key]

    def _finish(self, session: Session, row: TransferRow, status: str, reason: str, now: float) -> Answer:
        """End a transfer: remove its chunks, store its receipt."""
        row.status, row.reason, row.ended_at = status, clip_text(reason, self._limits), now
        session.execute(delete(ChunkRow).where(ChunkRow.device == row.device, ChunkRow.transfer == row.transfer))
        self._open.pop((row.device, row.transfer), None)
        message = _receipt(row.transfer, status, reason, self._limits)
        accepted = status == "accepted"
        return Answer(message, accepted=accepted, refused="" if accepted else f"{status}: {reason}")


def _open(session: Session, offer: Offer, terms: RoundTerms, now: float) -> TransferRow:
    row = TransferRow(
        device=offer.device,
        transfer=offer.transfer,
        round=terms.number,
        round_id=offer.round_id,
        size=offer.size,
        chunk_size=offer.chunk_size,
        chunks=offer.chunks,
        status="open",
        opened_at=now,
    )
    session.add(row)
    return row


def _in_ledger(session: Session, update: Update, number: int) -> bool:
    same_device = (UpdateRow.round == number) & (UpdateRow.device == update.device)
    query = select(UpdateRow).where((UpdateRow.update_id == update.update_id) | same_device)
    return session.scalars(query).first() is not None


def _receipt(transfer: bytes, status: str, reason: str, limits: Limits) -> Receipt:
    if status not in ("accepted", "duplicate", "refused", "late"):
        raise ValueError(f"{status!r} is not a receipt's status")
    return Receipt(transfer=transfer, status=status, reason=clip_text(reason, limits))  # type: ignore[arg-type]
