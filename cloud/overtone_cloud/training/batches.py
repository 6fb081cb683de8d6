"""Batches of an epoch: random utterances, and their augmentation."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from overtone_cloud.training.augment import augment, mix_sounds
from overtone_cloud.training.examples import Examples, Ints
from overtone_cloud.training.inputs import TrainingInputs
from overtone_cloud.training.settings import TrainSettings
from overtone_models.front_end import F32

Batch = tuple[Any, Any, Any]


class Batches:
    """Draws epochs of a prepared training."""

    def __init__(self, data: TrainingInputs, settings: TrainSettings) -> None:
        self.settings = settings
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
        """Return the rows of one epoch in random order, at most the settings' limit per speaker."""
        most = self.settings.speaker_utterances
        return rng.permutation(np.concatenate([rng.permutation(rows)[:most] for rows in self._by_speaker]))

    def batch(self, rows: Any, rng: np.random.Generator) -> Batch:
        """Return decibels `(n, max_frames, n_mels)`, their frames `(n,)` and targets; sounds come after the speech."""
        x, counts = self._draw(self._examples, rows, rng)
        y = self._examples.targets[rows]
        number = self.settings.sounds_per_batch
        if self._sounds is None or not number:
            return x, counts, y
        rows_of_sounds = rng.integers(0, len(self._sounds), number)
        sounds, lengths = self._draw(self._sounds, rows_of_sounds, rng)
        x = np.concatenate([x, mix_sounds(sounds, lengths, rng)])
        return x, np.concatenate([counts, lengths]), np.concatenate([y, self._sounds.targets[rows_of_sounds]])

    def _draw(self, part: Examples, rows: Any, rng: np.random.Generator) -> tuple[F32, Ints]:
        spec = self.settings.augmentation
        return augment(part, rows, part.views(rows, spec.conditioned, rng), spec, self.settings.max_frames, rng)
