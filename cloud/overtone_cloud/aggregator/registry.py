"""Device registry: presence, health and last selection of each device."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from overtone_cloud.aggregator.cohort import Candidate, ModelKey
from overtone_cloud.aggregator.state import DeviceRow
from overtone_protocol import Health, Presence


def note_presence(session: Session, presence: Presence, now: float) -> bool:
    """Store a device's presence; return whether it has just come online or restarted."""
    row = session.get(DeviceRow, presence.device)
    if row is not None and not presence.online:
        row.online, row.seen_at = False, now  # a last will holds no newer values
        return False
    arrival = presence.online and (row is None or not row.online or row.boot != presence.boot)
    if row is None:
        row = DeviceRow(id=presence.device, last_selected=-1, health="")
        session.add(row)
    row.online = presence.online
    row.boot = presence.boot
    row.software = presence.software
    row.runtime = presence.runtime
    row.bundle = presence.bundle
    row.bundle_version = presence.bundle_version
    row.base = presence.base
    row.layout = presence.layout
    row.front_end = presence.front_end
    row.examples = presence.examples
    row.held_out = presence.held_out
    row.seen_at = now
    return arrival


def mark_offline(session: Session, device: str, now: float) -> None:
    """Mark a device as offline: its retained presence was removed."""
    row = session.get(DeviceRow, device)
    if row is not None:
        row.online, row.seen_at = False, now


def note_health(session: Session, health: Health) -> None:
    """Store a device's report on its last bundle."""
    row = session.get(DeviceRow, health.device)
    if row is not None:
        row.health, row.health_bundle = health.state, health.bundle
        row.health_held_out, row.health_uar, row.health_loss = health.held_out, health.uar, health.loss


def note_selected(session: Session, devices: tuple[str, ...], round_number: int) -> None:
    """Store the round number as the devices' last selection."""
    for row in session.scalars(select(DeviceRow).where(DeviceRow.id.in_(devices))):
        row.last_selected = round_number


def candidates(session: Session) -> tuple[Candidate, ...]:
    """Return the online devices as candidates for a round."""
    return tuple(_candidate(row) for row in session.scalars(select(DeviceRow).where(DeviceRow.online)))


def outdated_devices(session: Session, bundle: bytes) -> tuple[str, ...]:
    """Return the ids of online devices that have neither installed nor refused `bundle` (its digest)."""
    rows = session.scalars(select(DeviceRow).where(DeviceRow.online).order_by(DeviceRow.id))
    failures = ("rolled-back", "refused")
    return tuple(
        row.id for row in rows if row.bundle != bundle and not (row.health_bundle == bundle and row.health in failures)
    )


def _candidate(row: DeviceRow) -> Candidate:
    model = None
    if row.base is not None and row.layout is not None and row.front_end is not None:
        model = ModelKey(base=row.base, layout=row.layout, front_end=row.front_end)
    return Candidate(device=row.id, model=model, examples=row.examples, last_selected=row.last_selected)
