"""What one network is trained with: the paper's table 1, its ranges, and what it leaves open."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from overtone_models.networks.papers.valence import SHAPES, TASKS, Shape, Tasks

EPOCHS, PATIENCE = 100, 5
LEAST_EPOCHS, MOST_EPOCHS = 3, 12
"""Between these lie the epochs of a training that may cost only so much."""
QUICK_MULTIPLY_ADDS = 3e12
"""What a quick training of one network may cost: about a minute on two cores."""

BATCHES = {"b-basic-cnn": 64, "b-multitask-cnn": 128, "b-basic-dcgan": 64, "b-multitask-dcgan": 128}
LEARNING_RATES = {"b-basic-cnn": 1e-4, "b-multitask-cnn": 1e-3, "b-basic-dcgan": 1e-4, "b-multitask-dcgan": 1e-4}

WIDTH_RANGE = (64, 128)
FILTERS_RANGE = tuple(range(32, 91, 4))
BATCH_RANGE = (64, 128, 256)
LEARNING_RATE_RANGE = (1e-3, 1e-4, 1e-5)
SMALLEST_KERNEL = 2
KERNEL_SHARE = 8
"""The largest filter is as wide as what reaches the last convolution: the crop's width by three halvings."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """One training; `epoch_samples` caps an epoch (None: a whole pass over the oversampled training part)."""

    network: str
    width: int
    kernel: int
    filters: int
    batch: int
    learning_rate: float
    dense: int = 128
    epochs: int = EPOCHS
    patience: int = PATIENCE
    epoch_samples: int | None = None

    @property
    def shape(self) -> Shape:
        """Sizes of the network."""
        return Shape(width=self.width, kernel=self.kernel, filters=self.filters, dense=self.dense)

    @property
    def tasks(self) -> Tasks:
        """What the network learns beside valence."""
        return TASKS[self.network]

    @property
    def multiply_adds(self) -> float:
        """Multiply-adds of one training sample: forwards and, at about twice that, backwards through each update.

        Valence and activation: 3 each. Adversaries: the generator 1 for the discriminator's fakes and 3 for its
        own update, the discriminator 6 for real and generated crops and 3 to tell the generator.
        """
        passes = 3 * (1 + self.tasks.activation) + 13 * self.tasks.real
        return float(passes * self.shape.multiply_adds)

    def within(self, multiply_adds: float, whole_pass: int, *, least_epochs: int = LEAST_EPOCHS) -> "Settings":
        """Return these settings with as many epochs and samples as that cost affords; one batch an epoch at least."""
        affordable = multiply_adds / self.multiply_adds
        epochs = int(np.clip(affordable // whole_pass, least_epochs, MOST_EPOCHS))
        samples = max(1, round(affordable / epochs / self.batch)) * self.batch
        return replace(self, epochs=epochs, epoch_samples=min(samples, whole_pass))

    def to_json(self) -> dict[str, Any]:
        """Return the settings as JSON."""
        return asdict(self)


def published(network: str) -> Settings:
    """Return what the paper's search found for a network: its table 1."""
    shape = SHAPES[network]
    return Settings(
        network=network,
        width=shape.width,
        kernel=shape.kernel,
        filters=shape.filters,
        batch=BATCHES[network],
        learning_rate=LEARNING_RATES[network],
    )


def drawn(network: str, generator: np.random.Generator) -> Settings:
    """Return settings drawn at random from the paper's ranges."""
    width = int(generator.choice(WIDTH_RANGE))
    return Settings(
        network=network,
        width=width,
        kernel=int(generator.integers(SMALLEST_KERNEL, width // KERNEL_SHARE + 1)),
        filters=int(generator.choice(FILTERS_RANGE)),
        batch=int(generator.choice(BATCH_RANGE)),
        learning_rate=float(generator.choice(LEARNING_RATE_RANGE)),
    )


def from_json(given: Mapping[str, Any]) -> Settings:
    """Return the settings that `to_json` wrote."""
    return Settings(**given)
