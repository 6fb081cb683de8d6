"""Calibrated probabilities to a stable decision: smoothing, hysteresis, "no decision"."""

import math
from typing import NamedTuple

from overtone_edge.core.config import DecisionConfig
from overtone_models.front_end import F32


class Decision(NamedTuple):
    """The decision at one hop; `label` None is "no decision". `probabilities` are smoothed, one per label."""

    label: str | None
    confidence: float
    probabilities: tuple[float, ...]


class Decider:
    """Smooths probabilities over time and decides with hysteresis; pure but for its own state.

    A label is decided when its smoothed probability reaches `threshold`. It gives way to another label that is more
    probable by `hysteresis`, or to "no decision" when it falls `hysteresis` below the threshold.
    """

    def __init__(self, config: DecisionConfig, labels: tuple[str, ...], threshold: float) -> None:
        self._config = config
        self._labels = labels
        self._threshold = threshold if config.threshold is None else config.threshold
        self.begin()

    def begin(self) -> None:
        """Begin an utterance without a decision."""
        self._smoothed: tuple[float, ...] | None = None
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
        values = tuple(probabilities.tolist())
        best = values.index(max(values))
        return self._decision(values, best if values[best] >= self._threshold else None)

    def _smooth(self, probabilities: F32, elapsed_s: float) -> tuple[float, ...]:
        # For this few numbers, Python floats take a third of the time of arrays.
        values = tuple(probabilities.tolist())
        if self._smoothed is None or self._config.smoothing_s == 0:
            self._smoothed = values
        else:
            weight = 1.0 - math.exp(-elapsed_s / self._config.smoothing_s)
            self._smoothed = tuple(
                [before + weight * (now - before) for before, now in zip(self._smoothed, values, strict=True)]
            )
        return self._smoothed

    def _choose(self, smoothed: tuple[float, ...]) -> int | None:
        if self._speech_s + 1e-9 < self._config.min_speech_s:
            return None
        best = smoothed.index(max(smoothed))
        current, margin = self._current, self._config.hysteresis
        if current is None:
            return best if smoothed[best] >= self._threshold else None
        if best != current and smoothed[best] >= max(self._threshold, smoothed[current] + margin):
            return best
        return current if smoothed[current] >= self._threshold - margin else None

    def _decision(self, probabilities: tuple[float, ...], index: int | None) -> Decision:
        label = None if index is None else self._labels[index]
        confidence = max(probabilities) if index is None else probabilities[index]
        return Decision(label, confidence, probabilities)
