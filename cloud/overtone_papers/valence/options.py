"""What `--option NAME=VALUE` may set for system B."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from overtone_cloud.errors import ConfigError
from overtone_models.networks.papers.valence import SHAPES
from overtone_papers.valence.settings import EPOCHS, PATIENCE, QUICK_MULTIPLY_ADDS, Settings

OPTIONS: Mapping[str, tuple[str, str]] = {
    "unlabelled": ("folders of speech without labels for the DCGANs, PATH[,PATH]", "none"),
    "unlabelled_hours": ("how much of that speech is used at most", "5"),
    "networks": ("which networks, by comma", ",".join(SHAPES)),
    "groups": ("speaker groups for corpora without sessions; the most folds", "up to 5"),
    "parameters": ("paper (table 1) or searched (what --part search finds on the first fold)", "paper"),
    "trials": ("draws of the random search for each network", "20, quick 2"),
    "trial_cost": ("multiply-adds of one trial in 1e12, 0 trains every trial to its end", "2, quick 0.15"),
    "epochs": ("most epochs of one training", f"{EPOCHS}, quick 3 to 12"),
    "patience": ("worse epochs in a row after which a training stops", str(PATIENCE)),
    "epoch_samples": ("crops of one epoch, 0 for a whole pass", "0, quick what a minute allows"),
    "dense": ("width of the fully connected layer", "128"),
}
NONE = "none"
TRIALS, QUICK_TRIALS = 20, 2
TRIAL_COST, QUICK_TRIAL_COST = 2.0, 0.15


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options, checked; None leaves the choice to the run."""

    networks: tuple[str, ...]
    unlabelled: tuple[Path, ...] = ()
    unlabelled_hours: float = 5.0
    groups: int | None = None
    searched: bool = False
    trials: int = TRIALS
    trial_cost: float = TRIAL_COST
    """In 1e12 multiply-adds; 0 for trainings without a limit."""
    epochs: int | None = None
    patience: int = PATIENCE
    epoch_samples: int | None = None
    dense: int = 128

    def applied(self, settings: Settings, *, whole_pass: int, quick: bool) -> Settings:
        """Return `settings` as this run trains them."""
        chosen = replace(settings, dense=self.dense, patience=self.patience)
        if quick:
            chosen = chosen.within(QUICK_MULTIPLY_ADDS, whole_pass)
        if self.epochs is not None:
            chosen = replace(chosen, epochs=self.epochs)
        if self.epoch_samples is not None:
            chosen = replace(chosen, epoch_samples=self.epoch_samples or None)
        return chosen


def parse(given: Mapping[str, str], *, quick: bool = False) -> Options:
    """Return the options of `--option`; raise ConfigError in one line for a value outside its limits."""
    return Options(
        networks=_networks(given.get("networks")),
        unlabelled=_folders(given.get("unlabelled", NONE)),
        unlabelled_hours=_real(given, "unlabelled_hours", 0.001, 1000.0, 5.0),
        groups=_number(given, "groups", 2, 100),
        searched=_parameters(given.get("parameters", "paper")),
        trials=_number(given, "trials", 1, 10_000) or (QUICK_TRIALS if quick else TRIALS),
        trial_cost=_real(given, "trial_cost", 0.0, 1e6, QUICK_TRIAL_COST if quick else TRIAL_COST),
        epochs=_number(given, "epochs", 1, 10_000),
        patience=_number(given, "patience", 1, 10_000) or PATIENCE,
        epoch_samples=_number(given, "epoch_samples", 0, 10_000_000),
        dense=_number(given, "dense", 1, 4096) or 128,
    )


def _networks(text: str | None) -> tuple[str, ...]:
    if text is None:
        return tuple(SHAPES)
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",")))
    strange = [name for name in names if name not in SHAPES]
    if strange:
        raise ConfigError(f"--option networks: system B has no network {strange[0]!r}; there are {', '.join(SHAPES)}")
    return names


def _folders(text: str) -> tuple[Path, ...]:
    if text == NONE:
        return ()
    folders = tuple(Path(part.strip()).expanduser() for part in text.split(",") if part.strip())
    for folder in folders:
        if not folder.is_dir():
            raise ConfigError(f"--option unlabelled: {folder} is not a folder")
    return folders


def _real(given: Mapping[str, str], name: str, low: float, high: float, default: float) -> float:
    if name not in given:
        return default
    try:
        number = float(given[name])
    except ValueError:
        number = low - 1.0
    if not low <= number <= high:
        raise ConfigError(f"--option {name}={given[name]}: it must be a number from {low:g} to {high:g}")
    return number


def _parameters(text: str) -> bool:
    if text not in ("paper", "searched"):
        raise ConfigError(f"--option parameters={text}: it must be paper or searched")
    return text == "searched"


def _number(given: Mapping[str, str], name: str, low: int, high: int) -> int | None:
    if name not in given:
        return None
    text = given[name]
    number = int(text) if text.isdecimal() else low - 1
    if not low <= number <= high:
        raise ConfigError(f"--option {name}={text}: it must be a whole number from {low} to {high}")
    return number
