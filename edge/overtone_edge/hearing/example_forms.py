"""What is kept of labelled speech, so that a network's head can learn from it: features, never the sound itself.

An edge network's examples are MFCC of the whole piece; a window network's are the raw inputs of its last
window, flat in one row. Each kind has a digest, and examples of another digest are left alone.
"""

from typing import Protocol

import numpy as np

from overtone_common.audio import SAMPLE_RATE_HZ
from overtone_edge.hearing.recent_speech import Rows
from overtone_models.errors import FrontEndError
from overtone_models.front_end import F32, FrontEndSpec, mfcc
from overtone_models.manifest import Manifest
from overtone_models.window_inputs import WindowInputs
from overtone_models.window_spec import WindowSpec


class Kept(Rows, Protocol):
    """How speech becomes an example, from a recording or from the rows that `RecentSpeech` rings."""

    def of_samples(self, samples: F32) -> F32 | None:
        """Return the example of a recording's speech (16 kHz), None where it is too short."""

    def of_heard(self, heard: F32) -> F32 | None:
        """Return the example of rows that a recogniser heard, None where they are too few."""

    def fits(self, example: F32) -> bool:
        """Return whether the network can learn from a stored example."""


class KeptMfcc:
    """MFCC `(frames, n_mfcc)` of a whole piece of speech."""

    def __init__(self, front_end: FrontEndSpec, hop_frames: int) -> None:
        self._front_end, self._hop_frames = front_end, hop_frames
        self.digest, self.hop_s, self.hop_samples = front_end.digest, front_end.hop_s, front_end.hop_samples

    def of_samples(self, samples: F32) -> F32 | None:
        """Return the MFCC, None for less than a block of frames."""
        frames = mfcc(samples, self._front_end)
        return frames if len(frames) >= self._front_end.block_frames else None

    def of_heard(self, heard: F32) -> F32 | None:
        """Return the MFCC as they are."""
        return heard

    def fits(self, example: F32) -> bool:
        """Return whether there is one hop."""
        return len(example) >= self._hop_frames


class KeptWindow:
    """Raw inputs `(1, values)` of the last window of a piece of speech."""

    hop_s, hop_samples = 1.0 / SAMPLE_RATE_HZ, 1

    def __init__(self, spec: WindowSpec) -> None:
        self._spec = spec
        self._inputs = WindowInputs(spec)
        self.digest = spec.features_digest

    def of_samples(self, samples: F32) -> F32 | None:
        """Return the row, None where a feature needs more sound."""
        if not samples.size:
            return None
        try:
            return self._spec.flatten(self._inputs.compute(samples))
        except FrontEndError:
            return None

    def of_heard(self, heard: F32) -> F32 | None:
        """Return the row of `(samples, 1)`."""
        return self.of_samples(np.ascontiguousarray(heard[:, 0]))

    def fits(self, example: F32) -> bool:
        """Return whether the row has the network's size."""
        return example.shape == (1, self._spec.values)


def kept_for(manifest: Manifest | None) -> Kept:
    """Return what is kept for a bundle's network; MFCC of the default front end where nothing is installed."""
    if manifest is None:
        return KeptMfcc(FrontEndSpec(), 1)
    if manifest.window is not None:
        return KeptWindow(manifest.window)
    return KeptMfcc(manifest.front_end, manifest.edge.hop_frames)
