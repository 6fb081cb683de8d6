"""What a pretrained model's int8 file is compared with float on: its inner speakers, heard in several ways.

They are few: of 162 utterances two that change their label can move the UAR by a point. Heard from afar, over the
telephone, quiet and loud as well, each gives five rows, and the int8 ranges are tried where training speech did not
set them. No condition needs other recordings, so whoever has the corpora can repeat the comparison.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from overtone_cloud.bundles.sources import utterances_of
from overtone_cloud.conditions.conditioned import heard_mfcc
from overtone_cloud.conditions.conditions import Condition, FarMicrophone, Level, Telephone
from overtone_cloud.training.features import Features
from overtone_models.front_end import F32

HEARD: tuple[Condition, ...] = (FarMicrophone(), Telephone(), Level(peak_db=-30.0), Level(peak_db=-1.0))


def parity_utterances(
    inner: Features, labels: tuple[str, ...], *, cache: Path | None
) -> tuple[list[F32], NDArray[np.int64]]:
    """Return `(frames, n_mfcc)` utterances as recorded and under `HEARD`, and their targets, without unheard ones."""
    utterances, targets = utterances_of(inner, labels)
    heard: list[F32 | None] = [*utterances]
    for condition in HEARD:
        heard += heard_mfcc(inner.utterances, inner.spec, condition, cache=cache)
    kept = [row for row, mfcc in enumerate(heard) if mfcc is not None]
    return [mfcc for mfcc in heard if mfcc is not None], np.tile(targets, 1 + len(HEARD))[kept]
