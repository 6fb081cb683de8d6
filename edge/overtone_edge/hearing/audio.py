"""Recordings as the device takes them: `overtone_common.audio` with SourceError, and the least and longest length."""

from functools import partial
from pathlib import Path

import numpy as np

from overtone_common import audio
from overtone_common.audio import F32, SAMPLE_RATE_HZ
from overtone_edge.core.errors import SourceError
from overtone_models.front_end import FrontEndSpec

read_blocks = partial(audio.read_blocks, error=SourceError)
check_finite = partial(audio.check_finite, error=SourceError)


def read_recording(path: Path, *, max_s: float) -> F32:
    """Return a whole recording; raise SourceError where it is longer than `max_s` or shorter than one window."""
    blocks: list[F32] = []
    total = 0
    for block in read_blocks(path, 1000):
        total += block.size
        if total > max_s * SAMPLE_RATE_HZ:
            raise SourceError(f"{path} is longer than {max_s:g} s, the limit for one labelled recording")
        blocks.append(block)
    check_length(path, total)
    return np.concatenate(blocks)


def check_length(path: Path, samples: int) -> None:
    """Raise SourceError unless there are enough 16 kHz samples for one window of the front end."""
    least = FrontEndSpec().fft_samples
    if samples < least:
        raise SourceError(f"{path} has {samples} samples at 16 kHz, shorter than one window ({least})")
