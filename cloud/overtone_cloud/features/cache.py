"""Feature cache on disk: one file per recording and specification, addressed by content.

The name is a digest of the recording's bytes and of the specification, so a file that moved is found again and one
that changed is not. An entry is a stored zip with a checksum: a broken one counts as missing.
"""

import hashlib
import os
from pathlib import Path

import numpy as np

from overtone_cloud.errors import AudioError, TrainingError
from overtone_common.files import BROKEN_ARRAYS, write_arrays
from overtone_models.digests import digest_mapping
from overtone_models.features.spec import Feature
from overtone_models.front_end import F32


def cache_directory() -> Path:
    """Return the folder of the feature cache: OVERTONE_CACHE, else the user's cache folder."""
    base = os.environ.get("OVERTONE_CACHE")
    if base:
        return Path(base)
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "overtone"


def key_of(path: Path, spec: Feature) -> str:
    """Return the cache key of a recording's feature; raise AudioError when the file cannot be read."""
    try:
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise AudioError(f"{path}: {error.strerror or error}") from error
    return digest_mapping({"recording": content, "feature": spec.digest})


def read_feature(folder: Path, key: str) -> F32 | None:
    """Return the feature cached under `key`; None where there is none, or a broken one."""
    try:
        with _path(folder, key).open("rb") as file, np.load(file, allow_pickle=False) as stored:
            feature: F32 = stored["feature"]
    except BROKEN_ARRAYS:
        return None
    return feature if feature.dtype == np.float32 else None


def write_feature(folder: Path, key: str, feature: F32) -> None:
    """Cache `feature` under `key`, all or nothing; raise TrainingError when the disk refuses.

    It does not wait for the disk: an entry torn by a power cut is recognised as broken.
    """
    write_arrays(_path(folder, key), {"feature": feature}, error=TrainingError, durable=False)


def _path(folder: Path, key: str) -> Path:
    return folder / "features" / key[:2] / f"{key[2:]}.npz"
