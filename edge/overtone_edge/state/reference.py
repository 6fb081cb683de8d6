"""Storage of the reference of this device's speech: one mean embedding, bound to the model that it was computed by."""

import io
from pathlib import Path

import numpy as np

from overtone_edge.core.errors import StorageError
from overtone_edge.core.files import make_folder, read_arrays, remove, write_atomically
from overtone_models.bundle import Bundle
from overtone_models.errors import ModelError
from overtone_models.reference import Reference

MAX_BYTES = 1024 * 1024


class ReferenceStore:
    """One reference on the disk: the number of utterances and their mean embedding, never speech."""

    def __init__(self, folder: Path) -> None:
        self.folder = make_folder(folder)
        self._path = self.folder / "reference.npz"

    def save(self, bundle: Bundle, reference: Reference) -> None:
        """Replace the reference in one step."""
        buffer = io.BytesIO()
        count, mean = reference.state
        np.savez(buffer, key=np.array(bundle.reference_key), count=np.array(count), mean=mean)
        write_atomically(self._path, buffer.getvalue())

    def load(self, bundle: Bundle) -> Reference | None:
        """Return the stored reference of the bundle's model, a new one where there is none.

        None for a model that takes embeddings as they are. Raises StorageError for a broken file.
        """
        spec = bundle.manifest.reference
        if spec is None:
            return None
        if not self._path.exists():
            return Reference(spec)
        key, count, mean = read_arrays(self._path, MAX_BYTES, "key", "count", "mean", what="a reference")
        if str(key) != bundle.reference_key:
            return Reference(spec)
        try:
            return Reference(spec, count=float(count), mean=mean)
        except (ModelError, TypeError, ValueError) as error:
            raise StorageError(f"{self._path}: not a reference ({error})") from error

    def erase(self) -> None:
        """Remove the reference."""
        remove(self._path)
