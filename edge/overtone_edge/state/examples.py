"""Bounded store of labelled speech: features on the device's disk, one file per example.

The file names hold all that counting, bounding and ordering need, so there is no index that could be lost:
`TIME-LABEL-PART-FRONTEND-ID.npz`, PART `t` (training) or `h` (held out).
"""

import contextlib
import fcntl
import hashlib
import io
import logging
import math
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from overtone_common.audio import wav_bytes
from overtone_edge.core.errors import StorageError
from overtone_edge.core.files import make_folder, read_arrays, remove, remove_leftovers, storing, write_atomically
from overtone_models.front_end import F32

_log = logging.getLogger(__name__)

_SUFFIX = ".npz"
MAX_EXAMPLE_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True)
class Entry:
    """One stored example, as described by its file name. `front_end` is the features' digest's first 16 digits."""

    path: Path
    time_ns: int
    label: str
    held_out: bool
    front_end: str
    id: str

    @property
    def audio(self) -> Path:
        """Path of the example's audio, which exists only with `keep_audio`."""
        return self.path.with_suffix(".wav")


@dataclass(frozen=True)
class Example:
    """Labelled features, not standardised: MFCC `(frames, n_mfcc)`, or one row of a window network's inputs."""

    frames: F32
    label: str
    held_out: bool


class Store:
    """Labelled examples up to `max_bytes`; the oldest are evicted first."""

    def __init__(self, folder: Path, *, max_bytes: int, held_out_fraction: float) -> None:
        self._folder = make_folder(folder)
        self._max_bytes = max_bytes
        self._held_out_fraction = held_out_fraction
        remove_leftovers(folder)

    def add(self, frames: F32, label: str, *, front_end: str, time_ns: int, audio: F32 | None = None) -> Entry:
        """Store an example as the newest and return its entry; the same features again only change the label.

        `audio` (16 kHz) is passed only where the user turned that on. Raises StorageError, and then nothing of the
        example is stored.
        """
        if frames.ndim != 2 or frames.dtype != np.float32 or not np.isfinite(frames).all():
            raise StorageError(f"an example must be finite float32 (frames, n_mfcc), got {frames.dtype} {frames.shape}")
        identity = hashlib.sha256(frames.tobytes()).hexdigest()[:24]
        with self._locked():
            entries = list(self.entries())
            # Also after the clock was set back, the newest is the last to be evicted.
            time_ns = max([time_ns, *(entry.time_ns + 1 for entry in entries[-1:])])
            copies = [entry for entry in entries if entry.id == identity]
            held_out = copies[0].held_out if copies else self._hold_out(entries, label, identity)
            name = f"{time_ns:020d}-{label}-{'h' if held_out else 't'}-{front_end[:16]}-{identity}{_SUFFIX}"
            entry = Entry(self._folder / name, time_ns, label, held_out, front_end[:16], identity)
            data = _npz(frames)
            self._check_size(len(data) + (2 * audio.size if audio is not None else 0))
            if audio is not None:
                write_atomically(entry.audio, wav_bytes(audio))
            try:
                write_atomically(entry.path, data)
            except StorageError:
                remove(entry.audio)
                raise
            for copy in copies:
                if copy.path != entry.path:
                    self._remove(copy)
            self._evict()
        return entry

    def entries(self, front_end: str | None = None) -> Iterator[Entry]:
        """Yield the stored entries, oldest first; with `front_end` only those of that digest."""
        with storing(self._folder):
            paths = sorted(self._folder.glob(f"*{_SUFFIX}"))
        for path in paths:
            entry = _parse(path)
            if entry is not None and (front_end is None or entry.front_end == front_end[:16]):
                yield entry

    def examples(
        self, front_end: str, labels: tuple[str, ...], *, held_out_only: bool = False, newest: int | None = None
    ) -> list[Example]:
        """Return the examples that a model with this front end and these labels can use, oldest first.

        `newest` limits them to that number of the newest. A file that cannot be read is logged and left out.
        """
        entries = [
            entry
            for entry in self.entries(front_end)
            if entry.label in labels and (entry.held_out or not held_out_only)
        ]
        examples = []
        for entry in entries if newest is None else entries[-newest:]:
            try:
                examples.append(Example(_read_frames(entry.path), entry.label, entry.held_out))
            except StorageError as error:
                _log.warning("example left out: %s", error)
        return examples

    def counts(self, front_end: str | None = None, labels: tuple[str, ...] | None = None) -> tuple[int, int]:
        """Return how many examples are for training and how many are held out."""
        held_out = [e.held_out for e in self.entries(front_end) if labels is None or e.label in labels]
        return held_out.count(False), held_out.count(True)

    def counts_by_label(self) -> dict[str, dict[str, int]]:
        """Return `{label: {"training": n, "held_out": n}}`."""
        table: dict[str, dict[str, int]] = {}
        for entry in self.entries():
            row = table.setdefault(entry.label, {"training": 0, "held_out": 0})
            row["held_out" if entry.held_out else "training"] += 1
        return table

    def size_bytes(self) -> int:
        """Return the bytes that the examples take."""
        return sum(self._bytes(entry) for entry in self.entries())

    def erase(self) -> None:
        """Remove every example."""
        remove(self._folder)
        make_folder(self._folder)

    def _hold_out(self, entries: list[Entry], label: str, identity: str) -> bool:
        """Return whether to hold a new example out: by its hash, at most one away from the label's exact share."""
        shares = Counter(entry.held_out for entry in entries if entry.label == label)
        share = self._held_out_fraction * (shares.total() + 1)
        if shares[True] < math.floor(share):
            return True
        if shares.total() == 0 or shares[True] >= math.ceil(share):
            return False
        return int(identity[:8], 16) / 2**32 < self._held_out_fraction

    def _check_size(self, size: int) -> None:
        if size > self._max_bytes:
            raise StorageError(f"example is {size} bytes, the store's limit is {self._max_bytes}")

    def _evict(self) -> None:
        entries = list(self.entries())
        total = sum(self._bytes(entry) for entry in entries)
        for entry in entries:
            if total <= self._max_bytes:
                return
            total -= self._bytes(entry)
            self._remove(entry)

    def _bytes(self, entry: Entry) -> int:
        return sum(path.stat().st_size for path in (entry.path, entry.audio) if path.exists())

    def _remove(self, entry: Entry) -> None:
        remove(entry.path)
        remove(entry.audio)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Lock the store against other processes that add (a running agent, `overtone-agent label`)."""
        path = self._folder / ".lock"
        with storing(path):
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def _parse(path: Path) -> Entry | None:
    """Return the entry that a file name stands for; None for a file that is not the store's."""
    parts = path.name.removesuffix(_SUFFIX).split("-")
    if len(parts) != 5 or not parts[0].isdigit() or parts[2] not in ("t", "h"):
        return None
    return Entry(path, int(parts[0]), parts[1], parts[2] == "h", parts[3], parts[4])


def _npz(frames: F32) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, frames=frames)
    return buffer.getvalue()


def _read_frames(path: Path) -> F32:
    frames: F32
    (frames,) = read_arrays(path, MAX_EXAMPLE_BYTES, "frames", what="an example")
    if frames.ndim != 2 or frames.dtype != np.float32 or not np.isfinite(frames).all():
        raise StorageError(f"{path}: not an example (frames are {frames.dtype} of shape {frames.shape})")
    return frames
