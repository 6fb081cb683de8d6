"""Outbox of updates on the disk; each stays until the aggregator's receipt arrives."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from overtone_edge.core.files import (
    make_folder,
    read_limited,
    remove,
    remove_leftovers,
    storing,
    sync_folder,
    write_atomically,
)
from overtone_protocol import DEFAULT_LIMITS, Limits, Offer, chunk_count

_SUFFIX = ".update"


@dataclass(frozen=True)
class OutboxEntry:
    """One encoded update in the outbox; `transfer` is its SHA-256."""

    round_id: bytes
    transfer: bytes
    path: Path
    size: int


class Outbox:
    """One update per round, named by round and digest; only `remove` takes one out."""

    def __init__(self, folder: Path, limits: Limits = DEFAULT_LIMITS) -> None:
        self._folder = make_folder(folder)
        self._limits = limits
        remove_leftovers(folder)

    def put(self, round_id: bytes, payload: bytes) -> OutboxEntry:
        """Store a payload durably; for a round that has one already, return that one (the first counts)."""
        existing = self.for_round(round_id)
        if existing is not None:
            return existing
        transfer = hashlib.sha256(payload).digest()
        path = self._folder / f"{round_id.hex()}-{transfer.hex()}{_SUFFIX}"
        write_atomically(path, payload)
        return OutboxEntry(round_id, transfer, path, len(payload))

    def entries(self) -> list[OutboxEntry]:
        """Return the updates that wait for a receipt, oldest first."""
        with storing(self._folder):
            paths = sorted(self._folder.glob(f"*{_SUFFIX}"), key=lambda path: (path.stat().st_mtime_ns, path.name))
            return [_entry(path) for path in paths]

    def find(self, transfer: bytes) -> OutboxEntry | None:
        """Return the update with this digest."""
        return next((entry for entry in self.entries() if entry.transfer == transfer), None)

    def for_round(self, round_id: bytes) -> OutboxEntry | None:
        """Return the update of this round."""
        return next((entry for entry in self.entries() if entry.round_id == round_id), None)

    def offer(self, entry: OutboxEntry, device: str) -> Offer:
        """Return the offer of an update."""
        chunk_size = self._limits.chunk_bytes
        return Offer(
            device=device,
            transfer=entry.transfer,
            purpose="update",
            round_id=entry.round_id,
            size=entry.size,
            chunk_size=chunk_size,
            chunks=chunk_count(entry.size, chunk_size),
        )

    def read(self, entry: OutboxEntry) -> bytes:
        """Return the payload."""
        return read_limited(entry.path, self._limits.max_update_bytes)

    def remove(self, transfer: bytes) -> bool:
        """Remove the update that a receipt names; return whether there was one."""
        entry = self.find(transfer)
        if entry is None:
            return False
        remove(entry.path)
        sync_folder(self._folder)
        return True

    def erase(self) -> None:
        """Remove everything."""
        remove(self._folder)
        make_folder(self._folder)


def _entry(path: Path) -> OutboxEntry:
    round_id, transfer = path.name.removesuffix(_SUFFIX).split("-")
    return OutboxEntry(bytes.fromhex(round_id), bytes.fromhex(transfer), path, path.stat().st_size)
