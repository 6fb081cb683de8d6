"""The agent's configuration: TOML in, frozen dataclasses out, one clear line for every mistake."""

import os
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Literal

from overtone_common.audio import MAX_CHANNELS, MAX_RATE_HZ, MIN_RATE_HZ, SAMPLE_RATE_HZ
from overtone_common.link import MqttConfig
from overtone_common.toml_config import limits
from overtone_common.toml_config import load_config as load_toml_config
from overtone_edge.core.errors import ConfigError
from overtone_models.errors import FrontEndError
from overtone_models.gate import GateSpec
from overtone_models.pretrained import DEFAULT
from overtone_protocol import MessageError
from overtone_protocol.topics import check_device, check_name

NO_PRETRAINED = "none"


@dataclass(frozen=True, kw_only=True)
class DeviceConfig:
    """Identity of this device, and its state folder."""

    id: str
    state_dir: Path
    fleet: str = "home"

    def __post_init__(self) -> None:
        check_device("id", self.id)
        check_name("fleet", self.fleet)


@dataclass(frozen=True, kw_only=True)
class SourceConfig:
    """Source of sound.

    `kind` "none" federates only. `device` is a microphone's index or a part of its name. `path` is
    for "file"; `command`, `rate_hz`, `channels`, `sample_format` are for "command".
    """

    kind: Literal["microphone", "file", "command", "none"] = "microphone"
    device: int | str | None = None
    path: Path | None = None
    paced: bool = True
    at_end: Literal["stop", "stay"] = "stop"
    command: tuple[str, ...] = ()
    rate_hz: int = field(default=SAMPLE_RATE_HZ, metadata=limits(MIN_RATE_HZ, MAX_RATE_HZ))
    channels: int = field(default=1, metadata=limits(1, MAX_CHANNELS))
    sample_format: Literal["s16le", "f32le"] = "s16le"
    block_ms: int = field(default=100, metadata=limits(10, 1_000))
    queue_s: float = field(default=5.0, metadata=limits(0.2, 60))

    def __post_init__(self) -> None:
        if self.kind == "file" and self.path is None:
            raise ValueError("path is missing for kind = 'file'")
        if self.kind == "command" and not self.command:
            raise ValueError("command is missing for kind = 'command'")


@dataclass(frozen=True, kw_only=True)
class GateConfig:
    """Overrides of the bundle's gate; None leaves the bundle's own value."""

    aggressiveness: int | None = field(default=None, metadata=limits(0, 3))
    open_frames: int | None = field(default=None, metadata=limits(1, 100))
    open_within_frames: int | None = field(default=None, metadata=limits(1, 100))
    preroll_ms: int | None = field(default=None, metadata=limits(0, 2_000))
    hangover_ms: int | None = field(default=None, metadata=limits(10, 10_000))
    pause_ms: int | None = field(default=None, metadata=limits(10, 60_000))


def gate_spec(base: GateSpec, overrides: GateConfig) -> GateSpec:
    """Return the bundle's gate with the user's overrides; a longer hangover alone makes the pause as long."""
    values = {name: value for name, value in asdict(overrides).items() if value is not None}
    return replace(base, **{"pause_ms": max(base.pause_ms, values.get("hangover_ms", 0)), **values})


@dataclass(frozen=True, kw_only=True)
class DecisionConfig:
    """How probabilities become a decision; `threshold` None takes the bundle's calibrated one."""

    smoothing_s: float = field(default=0.5, metadata=limits(0, 30))
    threshold: float | None = field(default=None, metadata=limits(0, 1))
    hysteresis: float = field(default=0.05, metadata=limits(0, 1))
    min_speech_s: float = field(default=0.5, metadata=limits(0, 10))
    report_every_s: float = field(default=1.0, metadata=limits(0.1, 60))
    max_utterance_s: float = field(default=20.0, metadata=limits(1, 600))


@dataclass(frozen=True, kw_only=True)
class OutputConfig:
    """Where events go. `jsonl` is rotated at `max_bytes`; `keep_files` old ones stay."""

    jsonl: Path | None = None
    max_bytes: int = field(default=1_000_000, metadata=limits(1_000, 1_000_000_000))
    keep_files: int = field(default=1, metadata=limits(0, 100))
    stdout: bool = False
    mqtt: bool = True


@dataclass(frozen=True, kw_only=True)
class LearningConfig:
    """Storage of labelled speech, and training on it."""

    max_store_bytes: int = field(default=64_000_000, metadata=limits(10_000, 100_000_000_000))
    held_out_fraction: float = field(default=0.25, metadata=limits(0, 0.9))
    keep_audio: bool = False
    recent_speech_s: float = field(default=30.0, metadata=limits(1, 600))
    steps: int = field(default=300, metadata=limits(1, 100_000))
    learning_rate: float = field(default=0.3, metadata=limits(1e-9, 100))
    momentum: float = field(default=0.9, metadata=limits(0, 0.9999))
    seed: int = field(default=0, metadata=limits(0, 2**63 - 1))
    min_examples: int = field(default=4, metadata=limits(1, 1_000_000))
    personal: bool = True
    federated: bool = True
    max_training_s: float = field(default=3_600.0, metadata=limits(1, 86_400))


@dataclass(frozen=True, kw_only=True)
class TrustConfig:
    """Trust in signers of models.

    `root_file` is the fleet's TUF root, the one file that must be installed by hand; None accepts no bundle
    from anybody. `pretrained` names the model of this very software that listens while nothing is installed; "none"
    waits for a signed one.
    """

    root_file: Path | None = None
    pretrained: str = DEFAULT


@dataclass(frozen=True, kw_only=True)
class Config:
    """The whole configuration of one agent; without `mqtt` it works without a network."""

    device: DeviceConfig
    trust: TrustConfig = TrustConfig()
    source: SourceConfig = SourceConfig()
    gate: GateConfig = GateConfig()
    decision: DecisionConfig = DecisionConfig()
    output: OutputConfig = OutputConfig()
    mqtt: MqttConfig | None = None
    learning: LearningConfig = LearningConfig()


def default_config() -> Config:
    """Return the defaults without a file: the microphone, events on standard output, no network, no trusted signer."""
    state = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    return Config(
        device=DeviceConfig(id="here", state_dir=state / "overtone"), output=OutputConfig(stdout=True, mqtt=False)
    )


def load_config(path: Path) -> Config:
    """Return the configuration in a TOML file; relative paths in it start at the file's folder.

    Raises ConfigError with one line that names the file, the section and the field.
    """
    config = load_toml_config(Config, path, error=ConfigError, refusals=(MessageError,))
    _check(config, str(path))
    return config


def _check(config: Config, name: str) -> None:
    """Raise ConfigError for fields that conflict."""
    try:
        gate_spec(GateSpec(), config.gate)
    except FrontEndError as error:
        raise ConfigError(f"{name}: [gate] {str(error).removeprefix('gate: ')}") from error
    if config.source.kind == "none" and config.mqtt is None:
        raise ConfigError(f"{name}: [mqtt] is missing; kind = 'none' only federates")
    root_file = config.trust.root_file
    _check_file(root_file, f"{name}: [trust] root_file")
    if config.mqtt is not None:
        if root_file is None:
            raise ConfigError(f"{name}: [trust] root_file is missing: what comes over [mqtt] must be verified")
        for key in ("ca_file", "cert_file", "key_file"):
            _check_file(getattr(config.mqtt, key), f"{name}: [mqtt] {key}")


def _check_file(path: Path | None, where: str) -> None:
    if path is not None and not path.is_file():
        raise ConfigError(f"{where}: there is no file {path}")
