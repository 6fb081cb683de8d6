"""The personal head: trained here, used here, kept across restarts, bound to one base."""

import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from overtone_edge.core.errors import StorageError
from overtone_edge.core.files import make_folder, read_arrays, remove, write_atomically
from overtone_models.front_end import F32

MAX_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, eq=False)
class PersonalHead:
    """Flat head weights, the digest of the base they were trained from, and how good they are."""

    base: str
    weights: F32
    quality: dict[str, Any]


class PersonalStore:
    """One personal head on the disk."""

    def __init__(self, folder: Path) -> None:
        self._path = make_folder(folder) / "head.npz"

    def save(self, head: PersonalHead) -> None:
        """Replace the head in one step."""
        buffer = io.BytesIO()
        np.savez(buffer, weights=head.weights, base=np.array(head.base), quality=np.array(json.dumps(head.quality)))
        write_atomically(self._path, buffer.getvalue())

    def load(self) -> PersonalHead | None:
        """Return the stored head, None where there is none; raise StorageError for a broken file."""
        if not self._path.exists():
            return None
        what = "a personal head"
        base, weights, quality = read_arrays(self._path, MAX_BYTES, "base", "weights", "quality", what=what)
        try:
            head = PersonalHead(str(base), weights, dict(json.loads(str(quality))))
        except (ValueError, TypeError, RecursionError) as error:
            raise StorageError(f"{self._path}: not a personal head ({error})") from error
        if head.weights.dtype != np.float32 or head.weights.ndim != 1 or not np.isfinite(head.weights).all():
            raise StorageError(f"{self._path}: not a personal head (weights are {head.weights.dtype})")
        return head

    def erase(self) -> None:
        """Remove the head."""
        remove(self._path)
