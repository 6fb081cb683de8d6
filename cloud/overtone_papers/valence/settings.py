"""Options of system B, the paper's table 1 and its ranges, and a random search over them."""

import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from overtone_cloud.errors import ConfigError
from overtone_models.networks.papers.valence import SHAPES, TASKS, Shape, Tasks
from overtone_papers.common.options import folders, number, whole, word, words

EPOCHS = 100
LEAST_EPOCHS, MOST_EPOCHS = 3, 12
"""Limits for the number of epochs of a training with limited cost."""
QUICK_MULTIPLY_ADDS = 3e12
"""Most cost of a quick training of one network: about a minute on two cores."""

BATCHES_AND_RATES = {
    "b-basic-cnn": (64, 1e-4),
    "b-multitask-cnn": (128, 1e-3),
    "b-basic-dcgan": (64, 1e-4),
    "b-multitask-dcgan": (128, 1e-4),
}
TABLE_1 = ("width", "learning_rate", "batch", "kernel", "filters")

WIDTH_RANGE = (64, 128)
FILTERS_RANGE = tuple(range(32, 91, 4))
BATCH_RANGE = (64, 128, 256)
LEARNING_RATE_RANGE = (1e-3, 1e-4, 1e-5)
SMALLEST_KERNEL = 2
KERNEL_SHARE = 8
"""The largest filter is as wide as the input of the last convolution: the crop's width after three halvings."""
SEARCH_SEED = 0
TERA = 1e12
MOST_DRAWS = 10_000


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """One training; `epoch_samples` caps an epoch (None: a whole pass over the oversampled training part)."""

    network: str
    width: int
    kernel: int
    filters: int
    batch: int
    learning_rate: float
    dense: int = 128
    epochs: int = EPOCHS
    patience: int = 5
    epoch_samples: int | None = None

    @property
    def shape(self) -> Shape:
        """Sizes of the network."""
        return Shape(width=self.width, kernel=self.kernel, filters=self.filters, dense=self.dense)

    @property
    def tasks(self) -> Tasks:
        """Tasks of the network besides valence."""
        return TASKS[self.network]

    @property
    def multiply_adds(self) -> float:
        """Multiply-adds of one training sample: forwards and, at about twice that, backwards through each update.

        Valence and activation: 3 each. Adversaries: the generator 1 for the discriminator's fakes and 3 for its
        own update, the discriminator 6 for real and generated crops and 3 to pass gradients to the generator.
        """
        passes = 3 * (1 + self.tasks.activation) + 13 * self.tasks.real
        return float(passes * self.shape.multiply_adds)

    def within(self, multiply_adds: float, whole_pass: int, *, least_epochs: int = LEAST_EPOCHS) -> "Recipe":
        """Return the recipe with as many epochs and samples as a cost allows; at least one batch per epoch."""
        affordable = multiply_adds / self.multiply_adds
        epochs = int(np.clip(affordable // whole_pass, least_epochs, MOST_EPOCHS))
        samples = max(1, round(affordable / epochs / self.batch)) * self.batch
        return replace(self, epochs=epochs, epoch_samples=min(samples, whole_pass))

    def to_json(self) -> dict[str, Any]:
        """Return the recipe as JSON, which `Recipe(**...)` reads."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Options of system B; None leaves the choice to the run."""

    unlabelled: tuple[Path, ...] = folders("folders of speech without labels for the DCGANs, PATH[,PATH]")
    unlabelled_hours: float = number(5.0, "the most hours of that speech to use", 0.001, 1000.0)
    networks: tuple[str, ...] = words(tuple(SHAPES), "networks, separated by commas", tuple(SHAPES))
    groups: int | None = whole(
        None, "speaker groups for corpora without sessions; the most folds", 2, 100, unset="up to 5"
    )
    parameters: str = word(
        "paper", "paper (table 1) or searched (what --part search finds on the first fold)", ("paper", "searched")
    )
    trials: int = whole(20, "draws of the random search per network", quick=2)
    trial_cost: float = number(
        2.0, "multiply-adds per trial in 1e12, 0 trains every trial to its end", 0.0, 1e6, quick=0.15
    )
    epochs: int | None = whole(None, "most epochs of one training; --quick takes 3 to 12", unset=str(EPOCHS))
    patience: int = whole(5, "epochs in a row without improvement after which a training stops")
    epoch_samples: int | None = whole(
        None, "crops per epoch, 0 for a whole pass; --quick takes what a minute allows", 0, 10_000_000, unset="0"
    )
    dense: int = whole(128, "width of the fully connected layer", 1, 4096)

    def applied(self, recipe: Recipe, *, whole_pass: int, quick: bool) -> Recipe:
        """Return the recipe with the options of this run applied."""
        result = self._sized(recipe.within(QUICK_MULTIPLY_ADDS, whole_pass) if quick else recipe)
        return result if self.epoch_samples is None else replace(result, epoch_samples=self.epoch_samples or None)

    def trials_of(self, network: str, whole_pass: int) -> list[Recipe]:
        """Return the search's trials of a network, each within the cost of a trial."""
        most = self.trial_cost * TERA
        recipes = islice(draws(network, most=most), self.trials)
        return [self._sized(r.within(most, whole_pass, least_epochs=1) if most else r) for r in recipes]

    def _sized(self, recipe: Recipe) -> Recipe:
        return replace(recipe, dense=self.dense, patience=self.patience, epochs=self.epochs or recipe.epochs)


def published(network: str) -> Recipe:
    """Return a network's recipe in the paper's table 1, the result of its search."""
    shape, (batch, rate) = SHAPES[network], BATCHES_AND_RATES[network]
    sizes = {"width": shape.width, "kernel": shape.kernel, "filters": shape.filters}
    return Recipe(network=network, **sizes, batch=batch, learning_rate=rate)


def random_recipe(network: str, generator: np.random.Generator) -> Recipe:
    """Return a random recipe from the paper's ranges."""
    width = int(generator.choice(WIDTH_RANGE))
    return Recipe(
        network=network,
        width=width,
        kernel=int(generator.integers(SMALLEST_KERNEL, width // KERNEL_SHARE + 1)),
        filters=int(generator.choice(FILTERS_RANGE)),
        batch=int(generator.choice(BATCH_RANGE)),
        learning_rate=float(generator.choice(LEARNING_RATE_RANGE)),
    )


def draws(network: str, *, most: float = 0.0) -> Iterator[Recipe]:
    """Yield different recipes from the paper's ranges; with `most`, only those whose batch costs no more.

    `most` counts multiply-adds. Raise ConfigError where no new recipe is below it.
    """
    generator = np.random.default_rng((SEARCH_SEED, zlib.crc32(network.encode())))
    recipes: set[Recipe] = set()
    rejections = 0
    while rejections < MOST_DRAWS:
        recipe = random_recipe(network, generator)
        if recipe in recipes or (most and recipe.batch * recipe.multiply_adds > most):
            rejections += 1
            continue
        rejections = 0
        recipes.add(recipe)
        yield recipe
    raise ConfigError(
        f"{network}: {len(recipes)} settings lie within --option trial-cost={most / TERA:g}; "
        "give fewer trials, more, or 0"
    )
