"""Probabilities one can rely on: a temperature fitted on held-out speakers, and when not to decide."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from overtone_models.errors import ModelError
from overtone_models.front_end import F32


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """How logits become probabilities, and the probability below which there is no decision."""

    temperature: float = 1.0
    threshold: float = 0.0

    def __post_init__(self) -> None:
        if not 0.01 <= self.temperature <= 100.0:
            raise ModelError(f"temperature is {self.temperature}, limit is 0.01..100")
        if not 0.0 <= self.threshold < 1.0:
            raise ModelError(f"threshold is {self.threshold}, limit is 0 <= threshold < 1")

    def probabilities(self, logits: F32) -> F32:
        """Return the softmax over the last axis of `logits / temperature`."""
        scaled = logits / np.float32(self.temperature)
        scaled -= np.maximum.reduce(scaled, axis=-1, keepdims=True)
        result: F32 = np.exp(scaled, out=scaled)
        result /= np.add.reduce(result, axis=-1, keepdims=True)
        return result


def negative_log_likelihood(logits: F32, targets: NDArray[np.int64], temperature: float) -> float:
    """Return the mean negative log likelihood (nats) of `(n, K)` logits at a temperature."""
    probabilities = Calibration(temperature=temperature).probabilities(logits.astype(np.float64))
    return float(-np.log(probabilities[np.arange(len(targets)), targets] + 1e-12).mean())


def fit_temperature(logits: F32, targets: NDArray[np.int64]) -> float:
    """Return the temperature of least negative log likelihood (Guo et al. 2017), by golden section."""
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


def silencing_threshold(sounds: F32, share: float, most: float) -> float:
    """Return the threshold, up to `most`, at which a share of `(m, K)` probabilities of sounds is no decision."""
    wanted = np.quantile(sounds.max(axis=1), share, method="higher")
    # Above the sound that it silences, by the least that a float32 can tell.
    return float(np.clip(min(np.nextafter(np.float32(wanted), np.float32(1.0)), most), 0.0, 0.999))


def fit_threshold(probabilities: F32, targets: NDArray[np.int64], accuracy: float) -> float:
    """Return the least threshold above which decisions reach `accuracy`, keeping at least a tenth of them.

    Where no threshold reaches it, return the one that keeps the surest tenth.
    """
    confidence = probabilities.max(axis=1)
    correct = (probabilities.argmax(axis=1) == targets).astype(np.float64)
    order = np.argsort(-confidence)
    kept_accuracy = np.cumsum(correct[order]) / np.arange(1, len(order) + 1)
    least = max(1, len(order) // 10)
    # A threshold cannot part equal confidences: only places where the next one is lower count.
    apart = np.append(np.diff(confidence[order]) < 0, True)
    reached = [n for n in range(least, len(order) + 1) if apart[n - 1] and kept_accuracy[n - 1] >= accuracy]
    keep = max(reached) if reached else least
    if keep == len(order):
        return 0.0
    return float(np.clip(confidence[order[keep - 1]], 0.0, 0.999))
