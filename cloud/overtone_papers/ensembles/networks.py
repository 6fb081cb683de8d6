"""System E's six networks, its options, and the trainings that each part consists of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, NamedTuple

from overtone_cloud.errors import ConfigError
from overtone_papers.common.options import quick_constant, whole, word, words
from overtone_papers.ensembles.data import LABELS, LOG_MEL, MEANS, SPLITS

PARTS = ("statistics", "1d", "2d", "fused", "lstm-cnn", "transformer", "ablation", "ensemble", "stacking", "search")
NETWORKS_OF = {
    "1d": ("e-cnn1d-lstm",),
    "2d": ("e-cnn2d-lstm",),
    "fused": ("e-fused",),
    "lstm-cnn": ("e-lstm-cnn-1d", "e-lstm-cnn-2d"),
    "transformer": ("e-cnn-transformer",),
}
INPUTS_1D = {40: "MFCC", 52: "MFCC, chroma", 180: "MFCC, chroma, mel"}
USED = {"e-cnn1d-lstm": 40, "e-lstm-cnn-1d": 52}
"""Means that the 1-D networks use by default: the paper's best for each."""
TWO_AXES = ("e-cnn2d-lstm", "e-fused", "e-lstm-cnn-2d")
"""Networks with the option `axis`."""
QUICK_BINARY_SAMPLES, QUICK_BINARY_EPOCHS = 14, 1
"""Of binary networks that take fewer than `FEW_SAMPLES` under `--quick`."""
FEW_SAMPLES = 800
WHOLE = 1_000_000_000


class Recipe(NamedTuple):
    """One network's training: its size, also under `--quick`, and seconds per sample on one core, measured.

    It ends after `patience` epochs without a better inner loss.
    """

    title: str
    inputs: tuple[str, ...]
    learning_rate: float
    batch: int
    epochs: int
    patience: int
    train_s: float
    predict_s: float
    quick_samples: int
    quick_epochs: int


RECIPES: Mapping[str, Recipe] = {
    "e-cnn2d-lstm": Recipe("CNN2D-LSTM", (LOG_MEL,), 1e-4, 16, 40, 10, 0.52, 0.15, 16, 2),
    "e-cnn1d-lstm": Recipe("CNN1D-LSTM", (MEANS,), 2e-4, 32, 200, 40, 6e-4, 4e-4, 800, 15),
    "e-fused": Recipe("Fused CNN1D-2D-LSTM", (LOG_MEL, MEANS), 1e-4, 16, 40, 10, 0.52, 0.155, 16, 2),
    "e-lstm-cnn-1d": Recipe("LSTM-CNN 1-D", (MEANS,), 2e-4, 32, 200, 40, 8e-4, 5e-4, 800, 12),
    "e-lstm-cnn-2d": Recipe("LSTM-CNN 2-D", (LOG_MEL,), 2e-4, 32, 80, 20, 2.6e-3, 1e-3, 800, 4),
    "e-cnn-transformer": Recipe("CNN-Transformer", (LOG_MEL,), 1e-4, 32, 60, 15, 0.052, 0.0135, 64, 3),
}
MEMBERS = tuple(RECIPES)
"""The six networks of the paper's ensembles."""
BASES = ("e-cnn2d-lstm", "e-cnn-transformer", "e-cnn1d-lstm", "e-lstm-cnn-1d", "e-lstm-cnn-2d")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Options of system E; `epochs` is None where each network has its own."""

    calm: str = word("drop", "what becomes of RAVDESS' calm: drop, or merge into neutral", ("drop", "merge"))
    splits: tuple[str, ...] = words(
        tuple(SPLITS), "which of random (speakers shared), speaker (test speakers unseen)", tuple(SPLITS)
    )
    axis: str = word("mel", "what the 2-D networks' LSTM walks along: mel, as published, or time", ("mel", "time"))
    scaler: str = word(
        "row", "mean and deviation of the log-mel by row (mel band) or by cell (band and frame)", ("row", "cell")
    )
    augment: str = word(
        "none",
        "variation of the log-mels in training: none, as in the paper, or masks (and shifts)",
        ("none", "masks"),
    )
    members: tuple[str, ...] = words(MEMBERS, "networks of the ensemble", MEMBERS, least=2)
    epochs: int | None = whole(None, "the most epochs of every training; auto takes each network's own", unset="auto")
    base: str = word("e-cnn2d-lstm", f"the stacking's binary networks: {', '.join(BASES)}", BASES)
    ablation: tuple[str, ...] = words(
        ("e-cnn1d-lstm", "e-cnn2d-lstm"), "networks that are also trained without scaling", MEMBERS
    )
    search: tuple[str, ...] = words(("e-cnn1d-lstm",), "networks whose hyperparameters Hyperband searches", BASES)
    search_epochs: int = quick_constant(30, quick=4)
    quick: bool = quick_constant(False, quick=True)

    @property
    def searched_splits(self) -> tuple[str, ...]:
        """The splits whose inner part is searched on."""
        return self.splits[:1] if self.quick else self.splits

    def check(self, parts: Sequence[str]) -> None:
        """Raise ConfigError for options that exclude one another."""
        if self.axis != "mel" and tuple(parts) == ("1d",):
            raise ConfigError(f"option axis={self.axis} has no meaning for part 1d; it is for {', '.join(TWO_AXES)}")


@dataclass(frozen=True, kw_only=True)
class Job:
    """One training: a network with options, on one kind of split with one seed.

    It learns from at most `samples` utterances; `scaler` is that of its log-mels, which may be augmented. `target` is
    the class of a binary network, `scaled` is False in the ablation.
    """

    network: str
    split: str
    seed: int
    options: Mapping[str, str | int]
    epochs: int
    samples: int
    scaler: str
    augment: bool
    scaled: bool = True
    target: str | None = None

    @property
    def name(self) -> str:
        """The name of the step and of its files."""
        terms = [self.network, *(f"{key}-{value}" for key, value in sorted(self.options.items()))]
        terms += [] if self.scaled else ["unscaled"]
        terms += [] if self.target is None else [f"only-{self.target}"]
        return "-".join([*terms, self.split, f"seed{self.seed}"])

    @property
    def recipe(self) -> Recipe:
        """Recipe of the network."""
        return RECIPES[self.network]

    @property
    def saved(self) -> bool:
        """Whether the trained network is saved for devices: the plain one, random split, first seed."""
        return self.first and self.scaled and self.target is None and "used" not in self.options

    @property
    def first(self) -> bool:
        """Whether it is on the random split with the first seed."""
        return self.split == "random" and self.seed == 0

    @property
    def variant(self) -> str:
        """The network's title with the means that it reads, and the axis where that is not the published one."""
        terms = [self.recipe.title]
        if self.network in USED:
            terms.append(INPUTS_1D[int(self.options.get("used", USED[self.network]))])
        if "axis" in self.options:
            terms.append(f"along {self.options['axis']}")
        return ", ".join(terms)


def job_of(settings: Settings, network: str, split: str, seed: int, *, used: int | None = None, **more: Any) -> Job:
    """Return the training of a network, of which `more` is known; options at their default are left out."""
    recipe, options = RECIPES[network], dict[str, str | int]()
    if settings.axis != "mel" and network in TWO_AXES:
        options["axis"] = settings.axis
    if used is not None and used != USED[network]:
        options["used"] = used
    samples, epochs = (recipe.quick_samples, recipe.quick_epochs) if settings.quick else (WHOLE, recipe.epochs)
    if more.get("target") is not None and samples < FEW_SAMPLES:
        samples, epochs = QUICK_BINARY_SAMPLES, QUICK_BINARY_EPOCHS
    return Job(
        network=network,
        split=split,
        seed=seed,
        options=options,
        epochs=settings.epochs or epochs,
        samples=samples,
        scaler=settings.scaler,
        augment=settings.augment == "masks" and LOG_MEL in recipe.inputs,
        **more,
    )


def places(settings: Settings, seeds: int) -> list[tuple[str, int]]:
    """Return every split with every seed."""
    return list(product(settings.splits, range(seeds)))


def jobs_of(part: str, settings: Settings, seeds: int) -> tuple[Job, ...]:
    """Return the trainings of a part, for every split and seed."""
    return tuple(job for place in places(settings, seeds) for job in jobs_at(part, settings, *place))


def jobs_at(part: str, settings: Settings, split: str, seed: int) -> list[Job]:
    """Return the trainings of a part on one split with one seed; the stacking's binary ones in order of labels."""
    chosen: list[tuple[str, dict[str, Any]]] = []
    if part in NETWORKS_OF:
        chosen = [(n, {"used": used}) for n in NETWORKS_OF[part] for used in (INPUTS_1D if n in USED else (None,))]
    elif part == "ensemble":
        chosen = [(n, {}) for n in settings.members]
    elif part == "stacking":
        chosen = [(settings.base, {"target": label}) for label in (None, *LABELS)]
    elif part == "ablation":
        chosen = [(n, {"scaled": scaled}) for n in settings.ablation for scaled in (True, False)]
    return [job_of(settings, network, split, seed, **more) for network, more in chosen]
