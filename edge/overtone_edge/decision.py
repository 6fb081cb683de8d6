"""From calibrated probabilities to a steady decision: smoothing, hysteresis, "no decision"."""

import math
from typing import NamedTuple

import numpy as np

from overtone_edge.config import DecisionConfig
from overtone_models.front_end import F32


class Decision(NamedTuple):
    """What is decided at one hop; `label` None is "no decision". `probabilities` are smoothed, `(K,)`."""

    label: str | None
    confidence: float
    probabilities: F32


class Decider:
    """Smooths over time and changes its mind only for a reason; pure but for its own state.

    A label is taken up when its smoothed probability reaches `threshold`; it is left for another
    one that is likelier by `hysteresis`, or for "no decision" when it falls `hysteresis` below the
    threshold.
    """

    def __init__(self, config: DecisionConfig, labels: tuple[str, ...], threshold: float) -> None:
        self._config = config
        self._labels = labels
        self._threshold = threshold if config.threshold is None else config.threshold
        self.begin()

    def begin(self) -> None:
        """Begin an utterance: nothing is known."""
        self._smoothed: F32 | None = None
        self._current: int | None = None
        self._speech_s = 0.0

    def process(self, probabilities: F32, elapsed_s: float) -> Decision:
        """Return the decision after another hop of `elapsed_s` seconds with `probabilities` `(K,)`."""
        self._speech_s += elapsed_s
        smoothed = self._smooth(probabilities, elapsed_s)
        self._current = self._choose(smoothed)
        return self._decision(smoothed, self._current)

    def end(self, probabilities: F32) -> Decision:
        """Return the decision over the whole utterance: no smoothing, no hysteresis."""
        best = int(np.argmax(probabilities))
        return self._decision(probabilities, best if probabilities[best] >= self._threshold else None)

    def _smooth(self, probabilities: F32, elapsed_s: float) -> F32:
        if self._smoothed is None or self._config.smoothing_s == 0:
            self._smoothed = probabilities.astype(np.float32)
        else:
            weight = np.float32(1.0 - math.exp(-elapsed_s / self._config.smoothing_s))
            self._smoothed = self._smoothed + weight * (probabilities - self._smoothed)
        return self._smoothed

    def _choose(self, smoothed: F32) -> int | None:
        if self._speech_s + 1e-9 < self._config.min_speech_s:
            return None
        best = int(np.argmax(smoothed))
        current, margin = self._current, self._config.hysteresis
        if current is None:
            return best if smoothed[best] >= self._threshold else None
        if best != current and smoothed[best] >= max(self._threshold, smoothed[current] + margin):
            return best
        return current if smoothed[current] >= self._threshold - margin else None

    def _decision(self, probabilities: F32, index: int | None) -> Decision:
        label = None if index is None else self._labels[index]
        confidence = float(probabilities.max() if index is None else probabilities[index])
        return Decision(label, confidence, probabilities)
