"""Atomic file writes."""

import io
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from overtone_cloud.errors import CloudError


def write_atomically(path: Path, data: bytes, *, error: type[CloudError] = CloudError) -> None:
    """Write `data` under `path`, all or nothing; raise `error` in one line when the disk refuses."""
    partial: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            partial = Path(file.name)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.chmod(0o644)
        partial.replace(path)
    except OSError as problem:
        if partial is not None:
            partial.unlink(missing_ok=True)
        raise error(f"{path}: cannot be written: {problem.strerror or problem}") from problem


def write_arrays(path: Path, arrays: Mapping[str, Any], *, error: type[CloudError] = CloudError) -> None:
    """Write an npz, all or nothing; raise `error` in one line when the disk refuses."""
    data = io.BytesIO()
    np.savez(data, **arrays)
    write_atomically(path, data.getvalue(), error=error)
