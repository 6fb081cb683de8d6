"""Calibration of probabilities: temperature scaling, decision threshold, speech level."""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from overtone_models.errors import ModelError
from overtone_models.front_end import F32
from overtone_models.metrics import log_loss

SPEECH = np.arange(1.0, 5.25, 0.25)
"""Speech levels that a calibration may set. Training aims at 0; few sounds are weak evidence, so they begin above
it."""


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """Turns logits into probabilities; below `threshold` there is no decision.

    The mean of the logits, to which a softmax is invariant, can express how likely the sound is to be speech: `speech`
    is the mean at which that probability is one half. Every label is multiplied by it, and the remainder to 1 is the
    probability of no speech. `speech` is None where a network was not trained for that. Training by cross-entropy
    leaves a head's mean logit as it is.
    """

    temperature: float = 1.0
    threshold: float = 0.0
    speech: float | None = None

    def __post_init__(self) -> None:
        if not 0.01 <= self.temperature <= 100.0:
            raise ModelError(f"temperature is {self.temperature}, limit is 0.01..100")
        if not 0.0 <= self.threshold < 1.0:
            raise ModelError(f"threshold is {self.threshold}, limit is 0 <= threshold < 1")
        if self.speech is not None and not -100.0 <= self.speech <= 100.0:
            raise ModelError(f"speech is {self.speech}, limit is -100..100")

    def probabilities(self, logits: F32) -> F32:
        """Return the softmax over the last axis of `logits / temperature`, times the probability of speech."""
        if logits.ndim == 1:
            return np.array(self._of_one(logits.tolist()), logits.dtype)
        scaled = logits / np.float32(self.temperature)
        scaled -= np.maximum.reduce(scaled, axis=-1, keepdims=True)
        result: F32 = np.exp(scaled, out=scaled)
        total = np.add.reduce(result, axis=-1, keepdims=True)
        if self.speech is not None:
            mean = np.add.reduce(logits, axis=-1, keepdims=True) / np.float32(logits.shape[-1])
            total *= 1.0 + np.exp(np.clip(np.float32(self.speech) - mean, -80.0, 80.0))
        result /= total
        return result

    def _of_one(self, logits: list[float]) -> list[float]:
        """Return `probabilities` of one utterance, without arrays: for a handful of numbers they take five times as
        long."""
        most = max(logits)
        likelihoods = [math.exp((logit - most) / self.temperature) for logit in logits]
        total = sum(likelihoods)
        if self.speech is not None:
            total *= 1.0 + math.exp(min(max(self.speech - sum(logits) / len(logits), -80.0), 80.0))
        return [likelihood / total for likelihood in likelihoods]


def negative_log_likelihood(logits: F32, targets: NDArray[np.int64], temperature: float) -> float:
    """Return the mean negative log likelihood (nats) of `(n, K)` logits at a temperature."""
    probabilities = Calibration(temperature=temperature).probabilities(logits.astype(np.float64))
    return log_loss(probabilities, targets)


def fit_temperature(logits: F32, targets: NDArray[np.int64]) -> float:
    """Return the temperature of lowest negative log likelihood (Guo et al. 2017), by golden section."""
    low, high = np.log(0.05), np.log(20.0)
    ratio = (np.sqrt(5.0) - 1.0) / 2.0
    for _ in range(60):
        a, b = high - ratio * (high - low), low + ratio * (high - low)
        if negative_log_likelihood(logits, targets, np.exp(a)) < negative_log_likelihood(logits, targets, np.exp(b)):
            high = b
        else:
            low = a
    return float(np.exp((low + high) / 2))


def expected_calibration_error(probabilities: F32, targets: NDArray[np.int64], bins: int = 15) -> float:
    """Return the mean gap between confidence and accuracy over equally wide bins, weighted by count."""
    confidence = probabilities.max(axis=1)
    correct = probabilities.argmax(axis=1) == targets
    places = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = [
        abs(confidence[places == b].mean() - correct[places == b].mean()) * (places == b).mean()
        for b in range(bins)
        if (places == b).any()
    ]
    return float(sum(gaps))


def fit_sound_rejection(calibration: Calibration, sounds: F32, speech: F32, share: float) -> Calibration:
    """Return the calibration that leaves a share of `(m, K)` logits of sounds undecided, or as many as possible.

    It raises the speech level, then the threshold, as long as a tenth of `(n, K)` logits of speech is still decided.
    """
    best = calibration
    threshold = calibration.threshold
    for level in SPEECH:
        candidate = replace(calibration, speech=float(level))
        most = float(np.quantile(candidate.probabilities(speech).max(axis=1), 0.9, method="lower"))
        if best is not calibration and most < calibration.threshold:
            break
        loudest = np.quantile(candidate.probabilities(sounds).max(axis=1), share, method="higher")
        # The next float32 above the confidence of the loudest sound that is to stay undecided.
        least_threshold = float(np.nextafter(np.float32(loudest), np.float32(1.0)))
        best, threshold = candidate, min(max(calibration.threshold, least_threshold), most)
        if least_threshold <= calibration.threshold:
            break
    return replace(best, threshold=float(np.clip(threshold, 0.0, 0.999)))


def fit_threshold(probabilities: F32, targets: NDArray[np.int64], accuracy: float) -> float:
    """Return the least threshold above which decisions reach `accuracy`, keeping at least a tenth of them.

    Where no threshold reaches it, return the one that keeps the most confident tenth.
    """
    confidence = probabilities.max(axis=1)
    correct = (probabilities.argmax(axis=1) == targets).astype(np.float64)
    order = np.argsort(-confidence)
    kept_accuracy = np.cumsum(correct[order]) / np.arange(1, len(order) + 1)
    least = max(1, len(order) // 10)
    # A threshold cannot separate equal confidences: only places where the next one is lower count.
    boundaries = np.append(np.diff(confidence[order]) < 0, True)
    counts = [n for n in range(least, len(order) + 1) if boundaries[n - 1] and kept_accuracy[n - 1] >= accuracy]
    keep = max(counts) if counts else least
    if keep == len(order):
        return 0.0
    return float(np.clip(confidence[order[keep - 1]], 0.0, 0.999))
