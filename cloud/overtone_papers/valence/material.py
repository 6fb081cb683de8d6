"""Spectrograms to learn from, and crops of them centred on a random word or, without word times, a voiced frame."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from overtone_cloud.corpora.utterance import Utterance
from overtone_cloud.errors import CorpusError
from overtone_cloud.features.extraction import extract
from overtone_models.features.crops import HOP_SAMPLES, CropSpec, VoicedSpectrogramSpec, cut
from overtone_models.features.spectra import TOP_DB
from overtone_models.front_end import F32
from overtone_papers.common.study import Study
from overtone_papers.valence.dimensions import dimensions
from overtone_papers.valence.words import Times, word_times

SPEC = VoicedSpectrogramSpec(in_decibels=True)
SCALE_MEAN, SCALE_STD = -TOP_DB / 2, TOP_DB / 2
"""Decibels of -80..0 become -1..1: the range of the generator's tanh."""
AT_ONCE = 256
"""Recordings extracted together: each lies in memory at full width until it is packed."""
EVALUATION = 1
"""Names the random stream of the crops that validate and test."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Recording:
    """A spectrogram `(rows, frames)` in decibels, -80..0, and where a crop may be centred.

    `spots` are `(n, 2)` first and last frames of words, or of single voiced frames.
    """

    spectrogram: NDArray[np.float16]
    spots: NDArray[np.int64]
    voiced: NDArray[np.int64]
    by_words: bool

    def crop(self, width: int, generator: np.random.Generator) -> F32:
        """Return `(rows, width)` in -1..1 about a random point of a random word or voiced frame."""
        first, last = self.spots[generator.integers(len(self.spots))]
        return scaled(self._cut(int(generator.integers(first, last + 1)), width))

    def middle(self, width: int) -> F32:
        """Return `(rows, width)` decibels about the middle voiced frame: what `CropSpec` computes on a device."""
        return self._cut(int(self.voiced[len(self.voiced) // 2]), width)

    def _cut(self, centre: int, width: int) -> F32:
        return cut(self.spectrogram.astype(np.float32), centre, width, fill=-TOP_DB)


@dataclass(frozen=True, kw_only=True, eq=False)
class Material:
    """The labelled recordings with their ratings `(n,)` in 1..5."""

    utterances: tuple[Utterance, ...]
    recordings: tuple[Recording, ...]
    valence: NDArray[np.float64]
    activation: NDArray[np.float64]


def scaled(decibels: F32) -> F32:
    """Return -1..1 of decibels in -80..0."""
    result: F32 = ((decibels - SCALE_MEAN) / SCALE_STD).astype(np.float32)
    return result


def crop_spec(width: int) -> CropSpec:
    """Return what a device computes for a network of this crop width."""
    return CropSpec(width=width, in_decibels=True)


def usable(study: Study) -> tuple[Utterance, ...]:
    """Return the corpora's utterances that have a rating, or a category that the table rates."""
    return tuple(u for r in study.readings.values() for u in r.utterances if dimensions(u) is not None)


def load(study: Study) -> Material:
    """Return every corpus' labelled recordings; what cannot be read is left out and named in the log."""
    utterances = usable(study)
    found = spectrograms(utterances, study)
    kept = [(u, r) for u, r in zip(utterances, found, strict=True) if r is not None]
    if not kept:
        raise CorpusError(f"none of {len(utterances)} recordings can be read")
    ratings = np.array([dimensions(u) for u, _ in kept], np.float64)
    words = sum(r.by_words for _, r in kept)
    study.log(f"{len(kept)} recordings; crops on words in {words} of them, on voiced frames in {len(kept) - words}")
    return Material(
        utterances=tuple(u for u, _ in kept),
        recordings=tuple(r for _, r in kept),
        valence=ratings[:, 0],
        activation=ratings[:, 1],
    )


def spectrograms(utterances: Sequence[Utterance], study: Study) -> list[Recording | None]:
    """Return each utterance's recording, None where it cannot be read."""
    result: list[Recording | None] = []
    for start in range(0, len(utterances), AT_ONCE):
        some = utterances[start : start + AT_ONCE]
        features = extract(some, SPEC, cache=study.cache, jobs=study.jobs, ray=study.ray, log=study.log)
        result += [None if f is None else packed(f, word_times(u.path)) for u, f in zip(some, features, strict=True)]
    return result


def packed(feature: F32, words: Times) -> Recording:
    """Return the recording of a `VoicedSpectrogramSpec` feature `(rows + 1, frames)` and its words' times in s."""
    voiced = np.flatnonzero(feature[-1] > 0.0)
    spots = word_spots(words, feature.shape[1])
    return Recording(
        spectrogram=feature[:-1].astype(np.float16),
        spots=spots if len(spots) else np.stack([voiced, voiced], 1),
        voiced=voiced,
        by_words=len(spots) > 0,
    )


def word_spots(words: Times, frames: int) -> NDArray[np.int64]:
    """Return `(n, 2)` first and last frames of words; those that lie behind the end are left out."""
    per_second = SPEC.sample_rate_hz / HOP_SAMPLES
    ends = [(round(begin * per_second), round(end * per_second)) for begin, end in words]
    inside = [(first, min(max(first, last), frames - 1)) for first, last in ends if first < frames]
    return np.array(inside, np.int64).reshape(-1, 2)


def crops(recordings: Sequence[Recording], width: int, generator: np.random.Generator) -> F32:
    """Return `(n, rows, width, 1)` random crops in -1..1, one of each recording."""
    return np.stack([r.crop(width, generator) for r in recordings])[..., None]


def fixed_crops(recordings: Sequence[Recording], width: int, seed: int) -> F32:
    """Return the `(n, rows, width, 1)` crops that validate or test: drawn once, so that epochs compare."""
    return crops(recordings, width, np.random.default_rng((seed, EVALUATION)))
