"""Settings of a training: their limits, and how they are read from TOML and JSON; every run folder keeps them."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from overtone_cloud.errors import ConfigError
from overtone_cloud.training.augment import Augmentation
from overtone_common.toml_config import check_limits, limits, load_toml, read_config
from overtone_models.front_end import EDGE_FRONT_END
from overtone_models.network_spec import EdgeTcnSpec, edge_tcn


@dataclass(frozen=True, kw_only=True)
class TrainSettings:
    """Settings of one training; the same settings, data and seed give the same network.

    An epoch takes at most `speaker_utterances` utterances per speaker, so that a corpus of two speakers with hundreds
    each does not outweigh the others. Each batch gets `sounds_per_batch` everyday sounds as well, where the training
    has some. With `neutral_speech` the training half of a folder of read speech is trained as neutral. The decision
    threshold is the lowest at which decisions on unseen speech reach `no_decision_accuracy`; with sounds the speech
    level also leaves a share `no_decision_sounds` of unseen sounds undecided. The result is the weights, averaged over
    about `average_steps` steps, of the epoch with the lowest loss of the inner speakers; training ends
    `patience_epochs` after that. With an `inner_fraction` of 0 there are no inner speakers: training goes to its last
    epoch, the temperature is 1, and the threshold 0.4 unless sounds ask for more.
    """

    size: str = "M"
    separable: bool = True
    epochs: int = field(default=160, metadata=limits(1, 10_000))
    batch: int = field(default=32, metadata=limits(2, 1024))
    max_frames: int = field(default=256, metadata=limits(20, 10_000))
    learning_rate: float = field(default=3e-3, metadata=limits(1e-6, 1.0))
    weight_decay: float = field(default=1e-2, metadata=limits(0, 1.0))
    label_smoothing: float = field(default=0.1, metadata=limits(0, 0.9))
    dropout: float = field(default=0.15, metadata=limits(0, 0.9))
    warmup_steps: int = field(default=100, metadata=limits(0, 100_000))
    patience_epochs: int = field(default=80, metadata=limits(1, 10_000))
    evaluate_every_epochs: int = field(default=5, metadata=limits(1, 1000))
    inner_fraction: float = field(default=0.15, metadata=limits(0, 0.5))
    no_decision_accuracy: float = field(default=0.7, metadata=limits(0, 1.0))
    no_decision_sounds: float = field(default=0.98, metadata=limits(0, 1.0))
    average_steps: int = field(default=100, metadata=limits(1, 1_000_000))
    sounds_per_batch: int = field(default=4, metadata=limits(0, 1024))
    speaker_utterances: int = field(default=100, metadata=limits(1, 1_000_000))
    neutral_speech: bool = False
    seed: int = field(default=0, metadata=limits(0, 2**31 - 1))
    augmentation: Augmentation = field(default_factory=Augmentation)

    def __post_init__(self) -> None:
        check_limits(self, what="training setting ", error=ConfigError)
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
        """Return the network that these settings train."""
        return replace(edge_tcn(self.size, n_features=n_features, n_classes=n_classes), separable=self.separable)

    def to_json(self) -> dict[str, Any]:
        """Return a JSON form that `from_json` reads."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: object, where: str = "settings") -> "TrainSettings":
        """Return checked settings; raise ConfigError naming `where` and the field that is wrong."""
        return read_config(cls, data, where=where, folder=Path(), error=ConfigError)


def read_settings(path: Path | None, changes: Mapping[str, Any] | None = None) -> TrainSettings:
    """Return the settings in a TOML or JSON file, the defaults without one; `changes` override single values."""
    values: Mapping[str, Any] = {}
    if path is not None:
        values = _read_json(path) if path.suffix == ".json" else load_toml(path, error=ConfigError)
        if not isinstance(values, Mapping):
            raise ConfigError(f"{path} holds no table of settings")
    return TrainSettings.from_json({**values, **(changes or {})}, where=str(path or "command line"))


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error
