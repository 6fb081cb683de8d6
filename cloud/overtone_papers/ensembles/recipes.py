"""How each network is trained, what the paper reports of it, and which trainings a part consists of."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

LOG_MEL, MEANS = "log-mel", "mean-vector"
INPUTS_1D = {40: "MFCC", 52: "MFCC, chroma", 180: "MFCC, chroma, mel"}
TWO_AXES = ("e-cnn2d-lstm", "e-fused", "e-lstm-cnn-2d")
"""Networks that take the option `axis`."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """One network's training; `train_s` and `predict_s` are seconds a sample on one core, measured.

    `paper` is the published accuracy, F1 (shares) and inference time of 2,022 samples in seconds.
    `quick_samples` and `quick_epochs` are what `--quick` leaves of the training.
    """

    title: str
    inputs: tuple[str, ...]
    learning_rate: float
    epochs: int
    patience: int
    batch: int
    train_s: float
    predict_s: float
    paper: tuple[float, float, float]
    quick_samples: int
    quick_epochs: int


RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        "e-cnn2d-lstm": Recipe(
            title="CNN2D-LSTM",
            inputs=(LOG_MEL,),
            learning_rate=1e-4,
            epochs=40,
            patience=10,
            batch=16,
            train_s=0.52,
            predict_s=0.15,
            paper=(0.71365, 0.732899, 4.12555),
            quick_samples=16,
            quick_epochs=2,
        ),
        "e-cnn1d-lstm": Recipe(
            title="CNN1D-LSTM",
            inputs=(MEANS,),
            learning_rate=2e-4,
            epochs=200,
            patience=40,
            batch=32,
            train_s=6e-4,
            predict_s=4e-4,
            paper=(0.625618, 0.641172, 0.733976),
            quick_samples=800,
            quick_epochs=15,
        ),
        "e-fused": Recipe(
            title="Fused CNN1D-2D-LSTM",
            inputs=(LOG_MEL, MEANS),
            learning_rate=1e-4,
            epochs=40,
            patience=10,
            batch=16,
            train_s=0.52,
            predict_s=0.155,
            paper=(0.710682, 0.725428, 11.13292),
            quick_samples=16,
            quick_epochs=2,
        ),
        "e-lstm-cnn-1d": Recipe(
            title="LSTM-CNN 1-D",
            inputs=(MEANS,),
            learning_rate=2e-4,
            epochs=200,
            patience=40,
            batch=32,
            train_s=8e-4,
            predict_s=5e-4,
            paper=(0.569733, 0.586485, 0.782807),
            quick_samples=800,
            quick_epochs=12,
        ),
        "e-lstm-cnn-2d": Recipe(
            title="LSTM-CNN 2-D",
            inputs=(LOG_MEL,),
            learning_rate=2e-4,
            epochs=80,
            patience=20,
            batch=32,
            train_s=2.6e-3,
            predict_s=1e-3,
            paper=(0.553907, 0.567925, 1.639491),
            quick_samples=800,
            quick_epochs=4,
        ),
        "e-cnn-transformer": Recipe(
            title="CNN-Transformer",
            inputs=(LOG_MEL,),
            learning_rate=1e-4,
            epochs=60,
            patience=15,
            batch=32,
            train_s=0.052,
            predict_s=0.0135,
            paper=(0.700791, 0.72123, 2.148409),
            quick_samples=64,
            quick_epochs=3,
        ),
    }
)
MEMBERS = tuple(RECIPES)
"""The six networks of the paper's ensembles."""


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
        words = [self.network, *(f"{key}-{value}" for key, value in sorted(self.options.items()))]
        words += [] if self.scaled else ["unscaled"]
        words += [] if self.target is None else [f"only-{self.target}"]
        return "-".join([*words, self.split, f"seed{self.seed}"])

    @property
    def recipe(self) -> Recipe:
        """How the network is trained."""
        return RECIPES[self.network]

    @property
    def saved(self) -> bool:
        """Whether the trained network is kept for devices: the plain one, random split, first seed."""
        plain = self.scaled and self.target is None and "used" not in self.options
        return plain and self.split == "random" and self.seed == 0


def job(network: str, split: str, seed: int, *, axis: str = "mel", used: int | None = None, scaled: bool = True) -> Job:
    """Return the training of a network; options that have their default are left out."""
    options: dict[str, str | int] = {"axis": axis} if axis != "mel" and network in TWO_AXES else {}
    if used is not None:
        options["used"] = used
    return Job(network=network, split=split, seed=seed, options=options, scaled=scaled)
