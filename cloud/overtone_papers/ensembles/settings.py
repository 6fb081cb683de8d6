"""What system E's options choose."""

from collections.abc import Mapping
from dataclasses import dataclass

from overtone_cloud.errors import ConfigError
from overtone_papers.common.study import Study
from overtone_papers.ensembles.recipes import MEMBERS, RECIPES

PARTS = ("statistics", "1d", "2d", "fused", "lstm-cnn", "transformer", "ablation", "ensemble", "stacking", "search")
CALM = ("drop", "merge")
SPLITS = ("random", "speaker")
AXES = ("mel", "time")
SCALERS = ("row", "cell")
AUGMENTS = ("none", "masks")
BASES = ("e-cnn2d-lstm", "e-cnn-transformer", "e-cnn1d-lstm", "e-lstm-cnn-1d", "e-lstm-cnn-2d")

OPTIONS: Mapping[str, tuple[str, str]] = {
    "calm": ("what becomes of RAVDESS' calm: drop, or merge into neutral", "drop"),
    "splits": ("which of random (speakers shared), speaker (test speakers unseen)", "random,speaker"),
    "axis": ("what the 2-D networks' LSTM walks along: mel, as published, or time", "mel"),
    "scaler": ("mean and deviation of the log-mel by row (mel band) or by cell (band and frame)", "row"),
    "augment": ("variation of the log-mels in training: none, as in the paper, or masks (and shifts)", "none"),
    "members": ("networks of the ensemble", ",".join(MEMBERS)),
    "epochs": ("the most epochs of every training; auto takes each network's own", "auto"),
    "base": (f"the stacking's binary networks: {', '.join(BASES)}", "e-cnn2d-lstm"),
    "ablation": ("networks that are also trained without scaling", "e-cnn1d-lstm,e-cnn2d-lstm"),
    "search": ("networks whose hyperparameters Hyperband searches", "e-cnn1d-lstm"),
}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the options leave to choose; `epochs` is None where each network has its own."""

    calm: str = "drop"
    splits: tuple[str, ...] = SPLITS
    axis: str = "mel"
    scaler: str = "row"
    augment: bool = False
    members: tuple[str, ...] = MEMBERS
    epochs: int | None = None
    base: str = "e-cnn2d-lstm"
    ablation: tuple[str, ...] = ("e-cnn1d-lstm", "e-cnn2d-lstm")
    search: tuple[str, ...] = ("e-cnn1d-lstm",)


def settings_of(study: Study) -> Settings:
    """Return the settings of a study; raise ConfigError in one line for an option that cannot be."""
    chosen = {name: study.options.get(name, default) for name, (_, default) in OPTIONS.items()}
    members = _several("members", chosen["members"], tuple(RECIPES))
    if len(members) < 2:
        raise ConfigError(f"option members is {chosen['members']!r}; an ensemble needs 2 networks or more")
    return Settings(
        calm=_one("calm", chosen["calm"], CALM),
        splits=_several("splits", chosen["splits"], SPLITS),
        axis=_one("axis", chosen["axis"], AXES),
        scaler=_one("scaler", chosen["scaler"], SCALERS),
        augment=_one("augment", chosen["augment"], AUGMENTS) == "masks",
        members=members,
        epochs=_epochs(chosen["epochs"]),
        base=_one("base", chosen["base"], BASES),
        ablation=_several("ablation", chosen["ablation"], tuple(RECIPES)),
        search=_several("search", chosen["search"], BASES),
    )


def _one(name: str, text: str, known: tuple[str, ...]) -> str:
    if text not in known:
        raise ConfigError(f"option {name} is {text!r}; it takes {', '.join(known)}")
    return text


def _several(name: str, text: str, known: tuple[str, ...]) -> tuple[str, ...]:
    words = tuple(word.strip() for word in text.split(","))
    if set(words) - set(known) or len(set(words)) != len(words):
        raise ConfigError(f"option {name} is {text!r}; it takes {', '.join(known)}, each once")
    return words


def _epochs(text: str) -> int | None:
    if text == "auto":
        return None
    if not text.isdecimal() or int(text) < 1:
        raise ConfigError(f"option epochs is {text!r}, it must be auto or a whole number of at least 1")
    return int(text)
