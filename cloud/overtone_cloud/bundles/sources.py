"""Inputs of conversions: golden clip, calibration utterances, bundle files."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from overtone_cloud.conditions.conditioned_features import conditioned_mfcc
from overtone_cloud.conditions.conditions import Telephone
from overtone_cloud.training.features import Features
from overtone_models.archive import unpack
from overtone_models.bundle import MAX_BYTES, Bundle, read_bundle
from overtone_models.errors import BundleError
from overtone_models.front_end import F32
from overtone_models.pretrained import file_or_pretrained

CALIBRATION_UTTERANCES = 60
RANGES = "training speakers, every other utterance over the telephone"
"""Where int8 ranges come from (`calibration_utterances`), as a bundle's lineage says it."""


def golden() -> F32:
    """Return the golden clip, synthesised speech on which every bundle tests itself."""
    from overtone_cloud.synthesis import golden_clip

    return golden_clip()


def calibration_utterances(train: Features, *, cache: Path | None) -> list[F32]:
    """Return `(frames, n_mfcc)` of training utterances that set the int8 ranges, spread evenly over the corpus.

    Every other one has the telephone condition, the only one whose features leave the ranges of speech as recorded
    (docs/recognition.md).
    """
    rows = np.unique(np.linspace(0, len(train) - 1, CALIBRATION_UTTERANCES).astype(int))
    utterances: list[F32 | None] = [train.mfcc(int(row)) for row in rows]
    utterances[1::2] = conditioned_mfcc(
        [train.utterances[row] for row in rows[1::2]], train.spec, Telephone(), cache=cache
    )
    return [mfcc for mfcc in utterances if mfcc is not None]


def utterances_of(part: Features, labels: tuple[str, ...]) -> tuple[list[F32], NDArray[np.int64]]:
    """Return a part's `(frames, n_mfcc)` utterances and their targets, as `verify_bundle` takes them."""
    return [part.mfcc(i) for i in range(len(part))], part.targets(labels)


def bundle_path(path: Path) -> Path:
    """Return a path as it is, or that of a pretrained model; raise BundleError where it cannot be looked at."""
    try:
        return file_or_pretrained(path)
    except OSError as error:
        raise BundleError(f"cannot read {path}: {error.strerror or error}") from error


def load_bundle(path: Path, root: Path | None = None) -> Bundle:
    """Return a bundle file's content, signed or not; with `root` the signature is checked first."""
    data = _read(path)
    if root is not None:
        from overtone_converters.signing import verify_signed

        data = verify_signed(data, _read(root))
    entries = unpack(data, MAX_BYTES)
    inner = [value for name, value in entries.items() if name.startswith("targets/")]
    return read_bundle(inner[0] if len(inner) == 1 else data)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BundleError(f"cannot read {path}: {error.strerror}") from error
