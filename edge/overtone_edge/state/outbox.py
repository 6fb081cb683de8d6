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
class Parcel:
    """One payload in the outbox; `transfer` is its SHA-256."""

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

    def put(self, round_id: bytes, payload: bytes) -> Parcel:
        """Store a payload durably; for a round that has one already, return that one (the first counts)."""
        existing = self.for_round(round_id)
        if existing is not None:
            return existing
        transfer = hashlib.sha256(payload).digest()
        path = self._folder / f"{round_id.hex()}-{transfer.hex()}{_SUFFIX}"
        write_atomically(path, payload)
        return Parcel(round_id, transfer, path, len(payload))

    def parcels(self) -> list[Parcel]:
        """Return the waiting parcels, oldest first."""
        with storing(self._folder):
            paths = sorted(self._folder.glob(f"*{_SUFFIX}"), key=lambda path: (path.stat().st_mtime_ns, path.name))
            return [_parcel(path) for path in paths]

    def find(self, transfer: bytes) -> Parcel | None:
        """Return the parcel with this digest."""
        return next((parcel for parcel in self.parcels() if parcel.transfer == transfer), None)

    def for_round(self, round_id: bytes) -> Parcel | None:
        """Return the parcel of this round."""
        return next((parcel for parcel in self.parcels() if parcel.round_id == round_id), None)

    def offer(self, parcel: Parcel, device: str) -> Offer:
        """Return the message that announces a parcel."""
        chunk_size = self._limits.chunk_bytes
        return Offer(
            device=device,
            transfer=parcel.transfer,
            purpose="update",
            round_id=parcel.round_id,
            size=parcel.size,
            chunk_size=chunk_size,
            chunks=chunk_count(parcel.size, chunk_size),
        )

    def read(self, parcel: Parcel) -> bytes:
        """Return the payload."""
        return read_limited(parcel.path, self._limits.max_update_bytes)

    def remove(self, transfer: bytes) -> bool:
        """Remove the parcel that a Receipt named; return whether there was one."""
        parcel = self.find(transfer)
        if parcel is None:
            return False
        remove(parcel.path)
        sync_folder(self._folder)
        return True

    def erase(self) -> None:
        """Remove everything."""
        remove(self._folder)
        make_folder(self._folder)


def _parcel(path: Path) -> Parcel:
    round_id, transfer = path.name.removesuffix(_SUFFIX).split("-")
    return Parcel(bytes.fromhex(round_id), bytes.fromhex(transfer), path, path.stat().st_size)
