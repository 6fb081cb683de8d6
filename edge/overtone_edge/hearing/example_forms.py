"""The form in which labelled speech is stored, so that a network's head can learn from it: features, never sound.

An edge network's example is the MFCC of a whole piece of speech; a window network's is the raw inputs of its last
window, flat in one row. Each form has a digest, and examples of another digest are not used.
"""

from collections.abc import Callable, Mapping
from typing import Protocol

import numpy as np

from overtone_common.audio import SAMPLE_RATE_HZ
from overtone_edge.hearing.recent_speech import RowFormat
from overtone_models.errors import FrontEndError
from overtone_models.front_end import F32, FrontEndSpec, mfcc
from overtone_models.manifest import Manifest
from overtone_models.network_spec import EdgeTcnSpec
from overtone_models.window_inputs import WindowInputs
from overtone_models.window_spec import WindowSpec


class ExampleForm(RowFormat, Protocol):
    """Converts speech to a stored example, from a recording or from the rows of `RecentSpeech`."""

    def from_samples(self, samples: F32) -> F32 | None:
        """Return the example of a recording's speech (16 kHz), None where it is too short."""

    def from_rows(self, rows: F32) -> F32 | None:
        """Return the example of a recogniser's input rows, None where they are too few."""

    def fits(self, example: F32) -> bool:
        """Return whether the network can learn from a stored example."""


class MfccForm:
    """MFCC `(frames, n_mfcc)` of a whole piece of speech."""

    def __init__(self, front_end: FrontEndSpec, hop_frames: int) -> None:
        self._front_end, self._hop_frames = front_end, hop_frames
        self.digest, self.hop_s, self.hop_samples = front_end.digest, front_end.hop_s, front_end.hop_samples

    def from_samples(self, samples: F32) -> F32 | None:
        """Return the MFCC, None for less than a block of frames."""
        frames = mfcc(samples, self._front_end)
        return frames if len(frames) >= self._front_end.block_frames else None

    def from_rows(self, rows: F32) -> F32 | None:
        """Return the rows, which are MFCC already."""
        return rows

    def fits(self, example: F32) -> bool:
        """Return whether there is at least one hop."""
        return len(example) >= self._hop_frames


class WindowForm:
    """Raw inputs `(1, values)` of the last window of a piece of speech."""

    hop_s, hop_samples = 1.0 / SAMPLE_RATE_HZ, 1

    def __init__(self, spec: WindowSpec) -> None:
        self._spec = spec
        self._inputs = WindowInputs(spec)
        self.digest = spec.features_digest

    def from_samples(self, samples: F32) -> F32 | None:
        """Return the row, None where a feature needs more sound."""
        if not samples.size:
            return None
        try:
            return self._spec.flatten(self._inputs.compute(samples))
        except FrontEndError:
            return None

    def from_rows(self, rows: F32) -> F32 | None:
        """Return the example of the samples `(samples, 1)`."""
        return self.from_samples(np.ascontiguousarray(rows[:, 0]))

    def fits(self, example: F32) -> bool:
        """Return whether the row has the network's size."""
        return example.shape == (1, self._spec.values)


def example_form_for(manifest: Manifest | None) -> ExampleForm:
    """Return the form for a bundle's network; MFCC of the default front end where no bundle is in use."""
    if manifest is None:
        return MfccForm(FrontEndSpec(), 1)
    return EXAMPLE_FORMS[manifest.network.family](manifest)


EXAMPLE_FORMS: Mapping[str, Callable[[Manifest], ExampleForm]] = {
    EdgeTcnSpec.family: lambda manifest: MfccForm(manifest.front_end, manifest.edge.hop_frames),
    WindowSpec.family: lambda manifest: WindowForm(manifest.window),
}
"""The form in which each family of networks keeps its examples."""
