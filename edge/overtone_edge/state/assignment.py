"""The round that this device works on, stored on the disk: an acknowledged call survives a restart."""

import json
from dataclasses import dataclass
from pathlib import Path

from overtone_edge.core.errors import StorageError
from overtone_edge.core.files import read_limited, remove, write_atomically
from overtone_protocol import ProtocolError, RoundCall, decode, encode

MAX_COMPLETE_ROUNDS = 64


@dataclass(frozen=True)
class Assignment:
    """A call and its time of arrival (Unix time)."""

    call: RoundCall
    received_s: float

    def expired(self, now_s: float) -> bool:
        """Return whether the round's deadline has passed."""
        return now_s > self.received_s + self.call.deadline_s


class AssignmentStore:
    """The current assignment and the latest rounds whose update is complete, in one JSON file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.current: Assignment | None = None
        self._complete: list[str] = []
        if path.exists():
            self._load()

    def is_complete(self, round_id: bytes) -> bool:
        """Return whether the update of this round is complete (and perhaps uploaded)."""
        return round_id.hex() in self._complete

    def assign(self, call: RoundCall, received_s: float) -> None:
        """Make a call the current assignment, in place of an older one."""
        self._save(Assignment(call, received_s), self._complete)

    def finish(self, round_id: bytes) -> None:
        """Record that the update of a round is complete."""
        others = [other for other in self._complete if other != round_id.hex()]
        current = self.current
        if current is not None and current.call.round_id == round_id:
            current = None
        self._save(current, [*others, round_id.hex()][-MAX_COMPLETE_ROUNDS:])

    def drop(self) -> None:
        """Drop the current assignment."""
        if self.current is not None:
            self._save(None, self._complete)

    def erase(self) -> None:
        """Remove everything."""
        self.current, self._complete = None, []
        remove(self._path)

    def _save(self, current: Assignment | None, complete: list[str]) -> None:
        data = {
            "call": None if current is None else encode(current.call).hex(),
            "received_s": None if current is None else current.received_s,
            "done": complete,
        }
        write_atomically(self._path, json.dumps(data).encode())
        self.current, self._complete = current, complete

    def _load(self) -> None:
        try:
            data = json.loads(read_limited(self._path, 1 << 20))
            self._complete = [str(text) for text in data["done"]]
            if data["call"] is not None:
                call = decode(bytes.fromhex(data["call"]))
                if isinstance(call, RoundCall):
                    self.current = Assignment(call, float(data["received_s"]))
        except (ValueError, KeyError, TypeError, ProtocolError) as error:
            raise StorageError(f"{self._path}: not a round file ({error!r})") from error
