"""Settings of a training: their limits, and how they are read from TOML and JSON; every run folder keeps them."""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, ClassVar

from overtone_cloud.errors import ConfigError
from overtone_cloud.training.augment import Augmentation
from overtone_models.front_end import EDGE_FRONT_END
from overtone_models.network_spec import EdgeTcnSpec, edge_tcn


@dataclass(frozen=True, kw_only=True)
class TrainSettings:
    """Settings of one training; the same settings, data and seed give the same network.

    An epoch hears at most `speaker_utterances` of each speaker, so that a corpus of two speakers with hundreds each
    does not outweigh the others. To each batch come `sounds_per_batch` everyday sounds, where the training has some.
    With `neutral_speech` the training half of a folder of read speech trains as neutral.
    The threshold of a decision is the least at which decisions on unheard speech are right as often as
    `no_decision_accuracy` says; with sounds a decision also asks for as much speech as leaves a share
    `no_decision_sounds` of unheard sounds undecided.
    The result are weights averaged over about `average_steps` steps, of the epoch at which the inner speakers' loss
    was least; training ends `patience_epochs` after that. With an `inner_fraction` of 0 there are no inner speakers:
    training goes to its last epoch, the temperature is 1, and the threshold 0.4 unless sounds ask for more.
    """

    size: str = "M"
    separable: bool = True
    epochs: int = 160
    batch: int = 32
    max_frames: int = 256
    learning_rate: float = 3e-3
    weight_decay: float = 1e-2
    label_smoothing: float = 0.1
    dropout: float = 0.15
    warmup_steps: int = 100
    patience_epochs: int = 80
    evaluate_every_epochs: int = 5
    inner_fraction: float = 0.15
    no_decision_accuracy: float = 0.7
    no_decision_sounds: float = 0.98
    average_steps: int = 100
    sounds_per_batch: int = 4
    speaker_utterances: int = 100
    neutral_speech: bool = False
    seed: int = 0
    augmentation: Augmentation = field(default_factory=Augmentation)

    LIMITS: ClassVar[dict[str, tuple[float, float]]] = {
        "epochs": (1, 10_000),
        "batch": (2, 1024),
        "max_frames": (20, 10_000),
        "learning_rate": (1e-6, 1.0),
        "weight_decay": (0.0, 1.0),
        "label_smoothing": (0.0, 0.9),
        "dropout": (0.0, 0.9),
        "warmup_steps": (0, 100_000),
        "patience_epochs": (1, 10_000),
        "evaluate_every_epochs": (1, 1000),
        "inner_fraction": (0.0, 0.5),
        "no_decision_accuracy": (0.0, 1.0),
        "no_decision_sounds": (0.0, 1.0),
        "average_steps": (1, 1_000_000),
        "sounds_per_batch": (0, 1024),
        "speaker_utterances": (1, 1_000_000),
        "seed": (0, 2**31 - 1),
    }

    def __post_init__(self) -> None:
        for name, (low, high) in self.LIMITS.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise ConfigError(f"training setting {name} is {value}, limit is {low:g}..{high:g}")
        if self.size not in "SML" or len(self.size) != 1:
            raise ConfigError(f"training setting size is {self.size!r}, it must be S, M or L")
        if self.patience_epochs < self.evaluate_every_epochs:
            raise ConfigError(
                f"training setting patience_epochs is {self.patience_epochs}, "
                f"limit is evaluate_every_epochs = {self.evaluate_every_epochs}"
            )
        hop = EDGE_FRONT_END.block_frames
        if self.max_frames % hop:
            raise ConfigError(f"training setting max_frames is {self.max_frames}, it must be a multiple of {hop}")

    def network(self, *, n_features: int, n_classes: int) -> EdgeTcnSpec:
        """Return the network that a training with these settings makes."""
        return replace(edge_tcn(self.size, n_features=n_features, n_classes=n_classes), separable=self.separable)

    def to_json(self) -> dict[str, Any]:
        """Return a JSON form that `from_json` reads."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any], where: str = "settings") -> "TrainSettings":
        """Return checked settings; raise ConfigError naming `where` and the field that is wrong."""
        if not isinstance(data, Mapping):
            raise ConfigError(f"{where}: settings are {data!r}, they must be a table")
        values = dict(data)
        varied = values.pop("augmentation", {})
        if not isinstance(varied, Mapping):
            raise ConfigError(f"{where}: augmentation is {varied!r}, it must be a table")
        augmentation = _checked(Augmentation, varied, f"{where}: augmentation")
        settings: TrainSettings = _checked(cls, values, where, augmentation=augmentation)
        return settings


def read_settings(path: Path | None, changes: Mapping[str, Any] | None = None) -> TrainSettings:
    """Return the settings in a TOML or JSON file, the defaults without one; `changes` override single values."""
    values: Mapping[str, Any] = {}
    if path is not None:
        try:
            text = path.read_text()
            values = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
        except (OSError, ValueError) as error:
            raise ConfigError(f"{path} cannot be read: {error}") from error
        if not isinstance(values, Mapping):
            raise ConfigError(f"{path} holds no table of settings")
    return TrainSettings.from_json({**values, **(changes or {})}, where=str(path or "command line"))


def _checked(kind: Any, values: Mapping[str, Any], where: str, **more: Any) -> Any:
    defaults = {f.name: f.default for f in fields(kind) if f.name not in more}
    for name, value in values.items():
        if name not in defaults:
            raise ConfigError(f"{where}: unknown field {name!r}; known are {', '.join(defaults)}")
        wanted = type(defaults[name])
        right = isinstance(value, wanted) or (wanted is float and isinstance(value, int))
        if not right or (wanted is not bool and isinstance(value, bool)):
            raise ConfigError(f"{where}: {name} is {value!r}, it must be a {wanted.__name__}")
    try:
        return kind(**values, **more)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error
