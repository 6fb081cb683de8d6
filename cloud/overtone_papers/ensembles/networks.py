"""System E's six networks, its options, and the trainings that each part consists of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from overtone_cloud.errors import ConfigError
from overtone_papers.common.options import whole, word, words
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
SEARCH_EPOCHS, QUICK_SEARCH_EPOCHS = 30, 4
WHOLE = 1_000_000_000


class Length(NamedTuple):
    """Most epochs, and epochs without a better inner loss after which a training ends."""

    epochs: int
    patience: int


class Quick(NamedTuple):
    """Size of a training under `--quick`."""

    samples: int
    epochs: int


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """One network's training; `train_s` and `predict_s` are seconds per sample on one core, measured."""

    title: str
    inputs: tuple[str, ...]
    learning_rate: float
    length: Length
    batch: int
    train_s: float
    predict_s: float
    quick: Quick


RECIPES: Mapping[str, Recipe] = {
    name: Recipe(
        title=title,
        inputs=inputs,
        learning_rate=rate,
        length=length,
        batch=batch,
        train_s=train_s,
        predict_s=predict_s,
        quick=quick,
    )
    for name, title, inputs, rate, length, batch, train_s, predict_s, quick in (
        ("e-cnn2d-lstm", "CNN2D-LSTM", (LOG_MEL,), 1e-4, Length(40, 10), 16, 0.52, 0.15, Quick(16, 2)),
        ("e-cnn1d-lstm", "CNN1D-LSTM", (MEANS,), 2e-4, Length(200, 40), 32, 6e-4, 4e-4, Quick(800, 15)),
        ("e-fused", "Fused CNN1D-2D-LSTM", (LOG_MEL, MEANS), 1e-4, Length(40, 10), 16, 0.52, 0.155, Quick(16, 2)),
        ("e-lstm-cnn-1d", "LSTM-CNN 1-D", (MEANS,), 2e-4, Length(200, 40), 32, 8e-4, 5e-4, Quick(800, 12)),
        ("e-lstm-cnn-2d", "LSTM-CNN 2-D", (LOG_MEL,), 2e-4, Length(80, 20), 32, 2.6e-3, 1e-3, Quick(800, 4)),
        ("e-cnn-transformer", "CNN-Transformer", (LOG_MEL,), 1e-4, Length(60, 15), 32, 0.052, 0.0135, Quick(64, 3)),
    )
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

    def check(self, parts: Sequence[str]) -> None:
        """Raise ConfigError for options that exclude one another."""
        if self.axis != "mel" and tuple(parts) == ("1d",):
            raise ConfigError(f"option axis={self.axis} has no meaning for part 1d; it is for {', '.join(TWO_AXES)}")


@dataclass(frozen=True, kw_only=True)
class Job:
    """One training: a network with options, on one kind of split with one seed.

    `target` is the class of a binary network, `scaled` is False in the ablation.
    """

    network: str
    split: str
    seed: int
    options: Mapping[str, str | int] = field(default_factory=dict)
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
        plain = self.scaled and self.target is None and "used" not in self.options
        return plain and self.split == "random" and self.seed == 0

    @property
    def variant(self) -> str:
        """The network's title with the means that it reads, and the axis where that is not the published one."""
        terms = [self.recipe.title]
        if self.network in USED:
            terms.append(INPUTS_1D[int(self.options.get("used", USED[self.network]))])
        if "axis" in self.options:
            terms.append(f"along {self.options['axis']}")
        return ", ".join(terms)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Length and size of a training, scaling of its log-mels, and whether they are augmented."""

    epochs: int
    samples: int
    scaler: str
    augment: bool = False


def plan_of(job: Job, settings: Settings, *, quick: bool) -> Plan:
    """Return length and size of a training."""
    recipe = job.recipe
    samples, epochs = recipe.quick if quick else (WHOLE, recipe.length.epochs)
    if quick and job.target is not None and recipe.quick.samples < 800:
        samples, epochs = QUICK_BINARY_SAMPLES, QUICK_BINARY_EPOCHS
    varies = settings.augment == "masks" and LOG_MEL in recipe.inputs
    return Plan(epochs=settings.epochs or epochs, samples=samples, scaler=settings.scaler, augment=varies)


def job_of(
    settings: Settings, network: str, split: str, seed: int, *, used: int | None = None, scaled: bool = True
) -> Job:
    """Return the training of a network; options at their default are left out."""
    options: dict[str, str | int] = {}
    if settings.axis != "mel" and network in TWO_AXES:
        options["axis"] = settings.axis
    if used is not None and used != USED[network]:
        options["used"] = used
    return Job(network=network, split=split, seed=seed, options=options, scaled=scaled)


def jobs_of(part: str, settings: Settings, seeds: int) -> tuple[Job, ...]:
    """Return the trainings of a part, for every split and seed."""
    return tuple(
        job for split in settings.splits for seed in range(seeds) for job in jobs_at(part, settings, split, seed)
    )


def jobs_at(part: str, settings: Settings, split: str, seed: int) -> list[Job]:
    """Return the trainings of a part on one split with one seed."""

    def job(network: str, used: int | None = None, scaled: bool = True) -> Job:
        return job_of(settings, network, split, seed, used=used, scaled=scaled)

    if part in NETWORKS_OF:
        return [job(n, used) for n in NETWORKS_OF[part] for used in (INPUTS_1D if n in USED else (None,))]
    if part == "ensemble":
        return [job(n) for n in settings.members]
    if part == "stacking":
        return [job(settings.base), *binaries(settings, split, seed)]
    if part == "ablation":
        return [job(n, scaled=scaled) for n in settings.ablation for scaled in (True, False)]
    return []


def binaries(settings: Settings, split: str, seed: int) -> list[Job]:
    """Return the seven binary trainings of the stacking, in the order of the labels."""
    options = job_of(settings, settings.base, split, seed).options
    return [Job(network=settings.base, split=split, seed=seed, options=options, target=label) for label in LABELS]
