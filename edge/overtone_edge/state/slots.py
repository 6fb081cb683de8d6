"""Two slots for bundles: one is in use, the other holds the previous bundle or takes the next.

A small file, replaced in one step, says which is which. A bundle that was just
installed is on trial: it is confirmed after it has run for a while; when the agent was started
`MAX_STARTS` times without that, or it cannot be loaded, the previous bundle comes back.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

from overtone_edge.core.errors import StorageError
from overtone_edge.core.files import make_folder, read_limited, remove, remove_leftovers, write_atomically

MAX_STARTS = 3
MAX_REFUSED_DIGESTS = 32
SIGNED, PAYLOAD, QUALITY = "signed.bundle", "payload.zip", "quality.json"


@dataclass(frozen=True)
class Slot:
    """A bundle on the disk. `signed` is the SHA-256 of the signed file, `payload` of what it holds."""

    name: str
    signed: str
    payload: str
    version: int

    @property
    def is_signed(self) -> bool:
        """Whether it is signed; a pretrained model is not."""
        return self.signed != self.payload


@dataclass(frozen=True)
class HeldOutQuality:
    """Quality of a bundle with its own head on the `held_out` utterances of the owner that no round learns from.

    `uar` is the unweighted average recall (0..1), `loss` the mean cross entropy (nats).
    """

    held_out: int
    uar: float
    loss: float

    def to_json(self) -> dict[str, Any]:
        """Return the figures by name."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Return what `to_json` wrote; raise KeyError, TypeError or ValueError for anything else."""
        return cls(int(data["held_out"]), float(data["uar"]), float(data["loss"]))


@dataclass(frozen=True)
class SlotState:
    """Content of the slot file. `refused` holds digests of signed files that failed here."""

    current: Slot | None = None
    previous: Slot | None = None
    confirmed: bool = True
    starts: int = 0
    refused: tuple[str, ...] = ()


class Slots:
    """The slots in one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = make_folder(folder)
        self._file = folder / "slots.json"
        remove_leftovers(folder)
        self.state = self._load()

    def payload(self) -> bytes:
        """Return the current payload; raise StorageError where it is missing or was changed on the disk."""
        slot = self.state.current
        if slot is None:
            raise StorageError("no bundle is installed")
        path = self.payload_path(slot)
        data = read_limited(path, 1 << 30)
        if hashlib.sha256(data).hexdigest() != slot.payload:
            raise StorageError(f"{path} is not what was installed: its digest differs")
        return data

    def payload_path(self, slot: Slot) -> Path:
        """Return the path of a slot's payload."""
        return self._folder / slot.name / PAYLOAD

    def stage(self, signed: bytes, payload: bytes, version: int) -> Slot:
        """Write a verified bundle into the slot that is not in use, without switching to it."""
        current = self._load().current
        name = "b" if current is not None and current.name == "a" else "a"
        folder = make_folder(self._folder / name)
        remove_leftovers(folder)
        write_atomically(folder / SIGNED, signed)
        write_atomically(folder / PAYLOAD, payload)
        return Slot(name, hashlib.sha256(signed).hexdigest(), hashlib.sha256(payload).hexdigest(), version)

    def save_quality(self, slot: Slot, quality: HeldOutQuality | None) -> None:
        """Store the figures of a slot's bundle on the owner's held-out examples, or remove them when None."""
        path = self._folder / slot.name / QUALITY
        if quality is None:
            remove(path)
        else:
            write_atomically(path, json.dumps(quality.to_json()).encode())

    def quality(self, slot: Slot) -> HeldOutQuality | None:
        """Return what `save_quality` wrote, None where there is nothing that can be read."""
        path = self._folder / slot.name / QUALITY
        try:
            return HeldOutQuality.from_json(json.loads(read_limited(path, 1 << 16))) if path.exists() else None
        except (StorageError, ValueError, TypeError, KeyError):
            return None

    def erase_quality(self) -> None:
        """Remove the figures of all bundles: they were learned from the owner's examples."""
        for path in self._folder.glob(f"*/{QUALITY}"):
            remove(path)

    def activate(self, slot: Slot) -> None:
        """Switch to a staged slot, on trial; the current one becomes the previous one."""
        current = self.state.current
        previous = self.state.previous if current is not None and current.name == slot.name else current
        self._save(replace(self.state, current=slot, previous=previous, confirmed=False, starts=0))

    def confirm(self) -> None:
        """End the trial of the current bundle."""
        if not self.state.confirmed:
            self._save(replace(self.state, confirmed=True, starts=0))

    def starting(self) -> bool:
        """Count a start of the agent; return False where a bundle on trial has used up its starts."""
        if self.state.confirmed or self.state.current is None:
            return True
        self._save(replace(self.state, starts=self.state.starts + 1))
        return self.state.starts <= MAX_STARTS

    def roll_back(self) -> Slot | None:
        """Return to the previous bundle, which is returned; the current one is refused from now on.

        None where there is no previous one; nothing is installed then.
        """
        state = self.state
        failed = state.current
        self._save(replace(state, current=state.previous, previous=None, confirmed=True, starts=0))
        if failed is not None:
            self.refuse(failed.signed)
        return self.state.current

    def refuse(self, signed: str) -> None:
        """Record the digest of a signed file that failed, so that it is not fetched again."""
        others = [digest for digest in self.state.refused if digest != signed]
        self._save(replace(self.state, refused=(*others, signed)[-MAX_REFUSED_DIGESTS:]))

    def allow(self, signed: str) -> None:
        """Remove a signed file from the refused ones: the user installs it explicitly."""
        self._save(replace(self.state, refused=tuple(d for d in self.state.refused if d != signed)))

    def _load(self) -> SlotState:
        if not self._file.exists():
            return SlotState()
        try:
            data = json.loads(read_limited(self._file, 1 << 20))
            slots = {key: Slot(**data[key]) if data[key] else None for key in ("current", "previous")}
            return SlotState(
                slots["current"], slots["previous"], data["confirmed"], data["starts"], tuple(data["refused"])
            )
        except (ValueError, KeyError, TypeError) as error:
            raise StorageError(f"{self._file}: not a slot file ({error!r})") from error

    def _save(self, state: SlotState) -> None:
        write_atomically(self._file, json.dumps(asdict(state), indent=1).encode())
        self.state = state
