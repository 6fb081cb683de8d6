"""Measure: features normalised per speaker, with statistics that accumulate while listening, without labels."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from overtone_cloud.recognition.predictions import Predictions
from overtone_cloud.recognition.subject import Subject, float_probabilities
from overtone_cloud.training.features import Features
from overtone_models.calibration import negative_log_likelihood
from overtone_models.front_end import F32
from overtone_models.trained_model import TrainedModel


@dataclass(frozen=True, kw_only=True)
class SpeakerNorm:
    """How fast a speaker's own statistics replace the training's: those count as `prior_s` seconds of speech.

    With `deviation` the deviation follows as well as the mean. `prior_s` None keeps the training's.
    """

    prior_s: float | None
    deviation: bool = False


CANDIDATES = (
    SpeakerNorm(prior_s=None),
    *(SpeakerNorm(prior_s=prior_s, deviation=d) for prior_s in (3.0, 10.0, 30.0) for d in (False, True)),
)


class RunningNorm:
    """Running statistics of one speaker: `normalise(mfcc)` uses those of earlier utterances, then adds its own."""

    def __init__(self, model: TrainedModel, norm: SpeakerNorm) -> None:
        self._model, self._norm = model, norm
        frames = (norm.prior_s or 0.0) / model.front_end.hop_s
        mean = model.standardise_mean.astype(np.float64)
        self._count = frames
        self._sum = frames * mean
        self._squares = frames * (mean**2 + model.standardise_scale.astype(np.float64) ** -2)

    def normalise(self, mfcc: F32) -> F32:
        """Return `(frames, n_mfcc)` standardised, as if by the model, and raw again: the model standardises itself."""
        if self._norm.prior_s is None:
            return mfcc
        mean = self._sum / self._count
        moved = mfcc - mean
        if self._norm.deviation:
            deviation = np.sqrt(np.maximum(self._squares / self._count - mean**2, 1e-6))
            moved = moved / (deviation * self._model.standardise_scale)
        self._add(mfcc.astype(np.float64))
        result: F32 = (moved + self._model.standardise_mean).astype(np.float32)
        return result

    def _add(self, mfcc: Any) -> None:
        self._count += len(mfcc)
        self._sum = self._sum + mfcc.sum(0)
        self._squares = self._squares + (mfcc**2).sum(0)


def predict_normalised(subject: Subject) -> tuple[SpeakerNorm, Predictions]:
    """Return the normalisation that the inner speakers choose, by likelihood, and the test part's predictions."""
    targets = subject.inner.targets(subject.model.labels)

    def loss(norm: SpeakerNorm) -> float:
        probabilities = float_probabilities(subject.model, normalised_in_order(subject.model, subject.inner, norm))
        return negative_log_likelihood(np.log(probabilities + 1e-12), targets, 1.0)

    best = min(CANDIDATES, key=loss)
    return best, subject.predictions(
        float_probabilities(subject.model, normalised_in_order(subject.model, subject.test, best))
    )


def normalised_in_order(
    model: TrainedModel, features: Features, norm: SpeakerNorm, *, seed: int = 0
) -> list[F32 | None]:
    """Return each utterance normalised by its speaker's earlier ones, in a random order."""
    order = np.random.default_rng(seed).permutation(len(features))
    speakers: dict[str, RunningNorm] = {}
    result: list[F32 | None] = [None] * len(features)
    for row in order:
        running = speakers.setdefault(str(features.utterances[row].speaker), RunningNorm(model, norm))
        result[row] = running.normalise(features.mfcc(int(row)))
    return result


def describe(norms: Sequence[SpeakerNorm]) -> list[dict[str, Any]]:
    """Return the candidates as JSON."""
    return [asdict(norm) for norm in norms]
