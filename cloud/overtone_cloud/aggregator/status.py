"""Status of the aggregator as JSON and as tables: devices, rounds, updates, releases, events."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from overtone_cloud.aggregator.state import DeviceRow, EventRow, ReleaseRow, RoundRow, SelectionRow, UpdateRow

LATEST = 20
ROUND_FIELDS = (
    "number",
    "phase",
    "outcome",
    "reason",
    "version",
    "uar_before",
    "uar_after",
    "loss_before",
    "loss_after",
    "evaluated",
    "refused",
    "bytes_up",
    "bytes_down",
    "opened_at",
    "collected_at",
    "ended_at",
    "average_s",
    "evaluate_s",
    "publish_s",
)


DEVICE_COLUMNS = (
    "id",
    "online",
    "bundle_version",
    "examples",
    "health",
    "health_held_out",
    "health_uar",
    "health_loss",
)


def status(session: Session) -> dict[str, Any]:
    """Return the state as JSON values; digests are hexadecimal, times seconds since 1970, UAR 0..1."""
    rounds = session.scalars(select(RoundRow).order_by(RoundRow.number)).all()
    return {
        "devices": [_device(row) for row in session.scalars(select(DeviceRow).order_by(DeviceRow.id))],
        "rounds": [_round(session, row) for row in rounds],
        "updates": [_update(row) for row in session.scalars(select(UpdateRow).order_by(UpdateRow.accepted_at))],
        "releases": [_release(row) for row in session.scalars(select(ReleaseRow).order_by(ReleaseRow.version))],
        "events": [
            {"at": row.at, "kind": row.kind, "device": row.device, "detail": row.detail}
            for row in session.scalars(select(EventRow).order_by(EventRow.id.desc()).limit(LATEST))
        ],
    }


def as_text(report: dict[str, Any]) -> str:
    """Return the report as tables."""
    parts = [
        _table("devices", report["devices"], DEVICE_COLUMNS),
        _table(
            "rounds",
            report["rounds"],
            (
                "number",
                "phase",
                "outcome",
                "selected",
                "accepted",
                "uar_before",
                "uar_after",
                "bytes_up",
                "bytes_down",
            ),
        ),
        _table("releases", report["releases"], ("version", "round", "size", "path")),
        _table("latest events", report["events"][:5], ("kind", "device", "detail")),
    ]
    return "\n\n".join(parts)


def _device(row: DeviceRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "online": row.online,
        "software": row.software,
        "runtime": row.runtime,
        "bundle": _hex(row.bundle),
        "bundle_version": row.bundle_version,
        "base": _hex(row.base),
        "examples": row.examples,
        "held_out": row.held_out,
        "health": row.health,
        "health_held_out": row.health_held_out,
        "health_uar": row.health_uar,
        "health_loss": row.health_loss,
        "last_selected": row.last_selected,
        "seen_at": row.seen_at,
    }


def _round(session: Session, row: RoundRow) -> dict[str, Any]:
    selections = session.scalars(select(SelectionRow).where(SelectionRow.round == row.number)).all()
    accepted = session.scalar(select(func.count()).select_from(UpdateRow).where(UpdateRow.round == row.number))
    return {name: getattr(row, name) for name in ROUND_FIELDS} | {
        "scope": row.config["scope"],
        "selected": len(selections),
        "replied": sum(s.joining is not None for s in selections),
        "joined": sum(s.joining is True for s in selections),
        "declined": {s.device: s.reason for s in selections if s.joining is False},
        "accepted": accepted or 0,
        "kept": row.outcome == "kept",
        "collect_s": None if row.collected_at is None else row.collected_at - row.opened_at,
        "duration_s": None if row.ended_at is None else row.ended_at - row.opened_at,
    }


def _update(row: UpdateRow) -> dict[str, Any]:
    names = ("round", "device", "examples", "steps", "loss_before", "loss_after", "encoding", "payload_bytes")
    return {"update_id": row.update_id.hex(), "accepted_at": row.accepted_at} | {
        name: getattr(row, name) for name in names
    }


def _release(row: ReleaseRow) -> dict[str, Any]:
    names = ("version", "round", "path", "size", "released_at")
    return {name: getattr(row, name) for name in names} | {"bundle": row.digest.hex(), "base": row.base.hex()}


def _hex(data: bytes | None) -> str | None:
    return None if data is None else data.hex()


def _table(title: str, rows: Iterable[dict[str, Any]], columns: tuple[str, ...]) -> str:
    lines = [list(columns)] + [[_cell(row[column]) for column in columns] for row in rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(columns))]
    text = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    return "\n".join([title.upper(), *text])


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.4f}" if isinstance(value, float) else str(value)
