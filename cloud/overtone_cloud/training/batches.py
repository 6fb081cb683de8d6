"""The batches of an epoch: which utterances, how they are heard, and what teachers hear of them."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from overtone_cloud.training.augment import augmented
from overtone_cloud.training.prepared import Prepared
from overtone_cloud.training.settings import TrainSettings

Batch = tuple[Any, ...]


class Batches:
    """Draws epochs of a prepared training; with `taught` each batch holds what teachers hear as well."""

    def __init__(self, data: Prepared, settings: TrainSettings, *, taught: bool) -> None:
        self.settings, self.taught = settings, taught
        self._examples, self._sounds = data.examples(), data.sound_examples()
        self._by_speaker = data.rows_by_speaker()
        most = settings.speaker_utterances
        self.steps = max(1, sum(min(most, len(rows)) for rows in self._by_speaker) // settings.batch)

    def epoch(self, rng: np.random.Generator) -> Iterator[Batch]:
        """Yield the batches of one epoch."""
        order = self.order(rng)
        size = min(self.settings.batch, len(order))
        for step in range(self.steps):
            yield self.batch(order[step * size : (step + 1) * size], rng)

    def order(self, rng: np.random.Generator) -> Any:
        """Return the rows of one epoch in random order, of each speaker no more than the settings' limit."""
        most = self.settings.speaker_utterances
        return rng.permutation(np.concatenate([rng.permutation(rows)[:most] for rows in self._by_speaker]))

    def batch(self, rows: Any, rng: np.random.Generator) -> Batch:
        """Return decibels `(n, max_frames, n_mels)`, their frames `(n,)` and targets; sounds come after the speech.

        With `taught` the decibels and frames that teachers hear follow: the same, but speech as it was recorded where
        the network hears it under a condition.
        """
        varied, frames = self.settings.augmentation, self.settings.max_frames
        parts = [(self._examples, rows)]
        if self._sounds is not None and self.settings.sounds_per_batch:
            parts.append((self._sounds, rng.integers(0, len(self._sounds), self.settings.sounds_per_batch)))
        views = [part.views(chosen, varied.conditioned, rng) for part, chosen in parts]
        drawn = [
            augmented(part, chosen, each, varied, frames, rng)
            for (part, chosen), each in zip(parts, views, strict=True)
        ]
        x, counts = (np.concatenate(each) for each in zip(*drawn, strict=True))
        y = np.concatenate([part.targets[chosen] for part, chosen in parts])
        if not self.taught:
            return x, counts, y
        clear, clear_counts = x.copy(), counts.copy()
        other = np.flatnonzero(views[0])
        if other.size:
            as_recorded = np.zeros(other.size, np.int64)
            clear[other], clear_counts[other] = augmented(self._examples, rows[other], as_recorded, varied, frames, rng)
        return x, counts, y, clear, clear_counts
