"""Database of the aggregator: tables and transactions on SQLite (or PostgreSQL) through SQLAlchemy.

State is committed here before anything is acknowledged to the broker or to a device. SQLite runs
with a write-ahead log and `synchronous=FULL`, so that a commit survives a power cut.
"""

import fcntl
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Self

from sqlalchemy import (
    JSON,
    Double,
    Engine,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
    create_engine,
    event,
    inspect,
    make_url,
    text,
)
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker

from overtone_cloud.aggregator.errors import StateError

Seconds = Double  # seconds since 1970


class Base(DeclarativeBase):
    """Declarative base of all tables."""

    type_annotation_map = {bytes: LargeBinary, float: Double, dict[str, Any]: JSON, str: Text}  # noqa: RUF012


class DeviceRow(Base):
    """A device, by its last presence and health messages."""

    __tablename__ = "devices"
    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    online: Mapped[bool]
    boot: Mapped[bytes]
    software: Mapped[str]
    runtime: Mapped[str]
    bundle: Mapped[bytes | None]
    bundle_version: Mapped[int]
    base: Mapped[bytes | None]
    layout: Mapped[bytes | None]
    front_end: Mapped[bytes | None]
    examples: Mapped[int]
    held_out: Mapped[int]
    seen_at: Mapped[float]
    last_selected: Mapped[int] = mapped_column(default=-1)
    health: Mapped[str] = mapped_column(String(16), default="")
    health_bundle: Mapped[bytes | None]
    health_held_out: Mapped[int | None]
    health_uar: Mapped[float | None]
    health_loss: Mapped[float | None]
    """UAR and loss of the last bundle on `health_held_out` utterances of the device, where it reports them."""


class RoundRow(Base):
    """A round since its opening: configuration, outcome, evaluations, durations and traffic."""

    __tablename__ = "rounds"
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    round_id: Mapped[bytes] = mapped_column(LargeBinary(16), unique=True)
    phase: Mapped[str] = mapped_column(String(16))
    """collecting, closed (averaging and evaluation run) or ended."""
    config: Mapped[dict[str, Any]]
    base: Mapped[bytes]
    layout: Mapped[bytes]
    front_end: Mapped[bytes]
    opened_at: Mapped[float]
    collected_at: Mapped[float | None]
    ended_at: Mapped[float | None]
    reason: Mapped[str] = mapped_column(default="")
    outcome: Mapped[str] = mapped_column(String(16), default="")
    """kept, not-kept or failed; empty while the round runs."""
    version: Mapped[int | None]
    """Version of the release that this round produced."""
    uar_before: Mapped[float | None]
    uar_after: Mapped[float | None]
    loss_before: Mapped[float | None]
    loss_after: Mapped[float | None]
    evaluated: Mapped[int | None]
    average_s: Mapped[float | None]
    evaluate_s: Mapped[float | None]
    publish_s: Mapped[float | None]
    refused: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """Number of payloads that were not accepted, by reason."""
    bytes_up: Mapped[int] = mapped_column(default=0)
    bytes_down: Mapped[int] = mapped_column(default=0)


class SelectionRow(Base):
    """A device that was selected for a round, and its reply (`joining` None before the reply)."""

    __tablename__ = "selections"
    round: Mapped[int] = mapped_column(ForeignKey("rounds.number"), primary_key=True)
    device: Mapped[str] = mapped_column(String(64), primary_key=True)
    joining: Mapped[bool | None]
    reason: Mapped[str] = mapped_column(default="")
    replied_at: Mapped[float | None]


class TransferRow(Base):
    """A payload that a device offers; the row outlives the transfer, so that a repeated offer gets the same receipt."""

    __tablename__ = "transfers"
    device: Mapped[str] = mapped_column(String(64), primary_key=True)
    transfer: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    round: Mapped[int | None]
    round_id: Mapped[bytes]
    size: Mapped[int]
    chunk_size: Mapped[int]
    chunks: Mapped[int]
    status: Mapped[str] = mapped_column(String(16))
    """open, accepted, duplicate, refused or late."""
    reason: Mapped[str] = mapped_column(default="")
    opened_at: Mapped[float]
    ended_at: Mapped[float | None]
    __table_args__ = (Index("transfers_status", "status", "device"),)


class ChunkRow(Base):
    """A chunk of an open transfer."""

    __tablename__ = "chunks"
    device: Mapped[str] = mapped_column(String(64), primary_key=True)
    transfer: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    index: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    data: Mapped[bytes]


class UpdateRow(Base):
    """Ledger of accepted updates: at most one per device and round."""

    __tablename__ = "updates"
    update_id: Mapped[bytes] = mapped_column(LargeBinary(16), primary_key=True)
    round: Mapped[int] = mapped_column(ForeignKey("rounds.number"))
    device: Mapped[str] = mapped_column(String(64))
    transfer: Mapped[bytes]
    examples: Mapped[int]
    steps: Mapped[int]
    loss_before: Mapped[float]
    loss_after: Mapped[float]
    encoding: Mapped[str] = mapped_column(String(8))
    payload_bytes: Mapped[int]
    delta: Mapped[bytes]
    """Little-endian float32."""
    accepted_at: Mapped[float]
    __table_args__ = (UniqueConstraint("round", "device"),)


class ReleaseRow(Base):
    """A signed bundle that devices may fetch, and its weights."""

    __tablename__ = "releases"
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    round: Mapped[int]
    path: Mapped[str]
    digest: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    size: Mapped[int]
    base: Mapped[bytes]
    layout: Mapped[bytes]
    front_end: Mapped[bytes]
    weights: Mapped[bytes]
    velocity: Mapped[bytes | None]
    """The server optimiser's state, little-endian float64: the velocity of federated averaging with momentum."""
    released_at: Mapped[float]


class EventRow(Base):
    """An event for the operator; only the newest are stored."""

    __tablename__ = "events"
    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[float]
    kind: Mapped[str] = mapped_column(String(32))
    device: Mapped[str] = mapped_column(String(64))
    detail: Mapped[str]


class SettingRow(Base):
    """A setting of this installation, such as its MQTT client identifier."""

    __tablename__ = "settings"
    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    value: Mapped[str]


class Store:
    """Connection to the database; `begin()` opens a transaction."""

    def __init__(self, url: str) -> None:
        try:
            sqlite = make_url(url).get_backend_name() == "sqlite"
            self._engine = create_engine(url, connect_args={"timeout": 30.0} if sqlite else {})
        except (ArgumentError, ImportError) as error:
            raise StateError(f"database: {error}") from error
        self._lock: IO[bytes] | None = None
        self._file = Path(self._engine.url.database or "") if sqlite else None
        if sqlite:
            event.listen(self._engine, "connect", _harden_sqlite)
        self._sessions = sessionmaker(self._engine, expire_on_commit=False)

    def create(self) -> Self:
        """Create missing folders, tables and columns, and return the store."""
        if self._file is not None and self._file.name:
            self._file.parent.mkdir(parents=True, exist_ok=True)
        try:
            Base.metadata.create_all(self._engine)
            _add_columns(self._engine)
        except SQLAlchemyError as error:
            raise StateError(f"database {self._engine.url}: {_text(error)}") from error
        return self

    def must_exist(self) -> Self:
        """Return the store; raise StateError where its SQLite file does not exist."""
        if self._file is not None and not self._file.exists():
            raise StateError(f"{self._file}: no such file; the aggregator has not run with this configuration yet")
        return self.create()

    def lock(self) -> None:
        """Lock the SQLite file against a second aggregator, until the process ends; raise StateError where one runs."""
        if self._file is None or not self._file.name:
            return
        self._lock = self._file.with_suffix(".lock").open("ab")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise StateError(f"{self._lock.name}: another aggregator uses this state") from error

    @contextmanager
    def begin(self) -> Iterator[Session]:
        """Yield a session that is committed at the end; raise StateError for a database error."""
        try:
            with self._sessions.begin() as session:
                yield session
        except SQLAlchemyError as error:
            raise StateError(f"database {self._engine.url}: {_text(error)}") from error

    def client_id(self) -> str:
        """Return this installation's MQTT client identifier: random, created once and then stored."""
        with self.begin() as session:
            row = session.get(SettingRow, "client-id")
            if row is None:
                row = SettingRow(key="client-id", value=f"aggregator-{secrets.token_hex(16)}")
                session.add(row)
            return row.value

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()
        if self._lock is not None:
            self._lock.close()
            self._lock = None


def _add_columns(engine: Engine) -> None:
    """Add missing columns to the tables of an older version; all such columns are nullable."""
    existing = inspect(engine)
    with engine.begin() as connection:
        for table in Base.metadata.sorted_tables:
            names = {column["name"] for column in existing.get_columns(table.name)}
            for column in table.columns:
                if column.name not in names:
                    kind = column.type.compile(engine.dialect)
                    quoted = [engine.dialect.identifier_preparer.quote(name) for name in (table.name, column.name)]
                    connection.execute(text(f"ALTER TABLE {quoted[0]} ADD COLUMN {quoted[1]} {kind}"))


def _text(error: SQLAlchemyError) -> str:
    return str(getattr(error, "orig", None) or error).splitlines()[0]


def _harden_sqlite(connection: Any, _record: Any) -> None:
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON"):
        connection.execute(f"PRAGMA {pragma}")
