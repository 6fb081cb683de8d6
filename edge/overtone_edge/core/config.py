"""The agent's configuration: TOML in, frozen dataclasses out, one clear line for every mistake."""

import os
import re
import tomllib
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from overtone_edge.core.errors import ConfigError
from overtone_edge.core.settings import read_section
from overtone_models.errors import FrontEndError
from overtone_models.gate import GateSpec
from overtone_models.pretrained import DEFAULT
from overtone_protocol import AGGREGATOR

_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,62}\Z")
NO_PRETRAINED = "none"


def _limits(low: float, high: float) -> Any:
    return {"low": low, "high": high}


@dataclass(frozen=True, kw_only=True)
class DeviceConfig:
    """Who this device is and where it keeps what it learns."""

    id: str
    state_dir: Path
    fleet: str = "home"


@dataclass(frozen=True, kw_only=True)
class SourceConfig:
    """Where sound comes from.

    `kind` "none" federates only. `device` is a microphone's index or a part of its name. `path` is
    for "file"; `command`, `rate_hz`, `channels`, `sample_format` are for "command".
    """

    kind: Literal["microphone", "file", "command", "none"] = "microphone"
    device: int | str | None = None
    path: Path | None = None
    paced: bool = True
    at_end: Literal["stop", "stay"] = "stop"
    command: tuple[str, ...] = ()
    rate_hz: int = field(default=16_000, metadata=_limits(4_000, 384_000))
    channels: int = field(default=1, metadata=_limits(1, 32))
    sample_format: Literal["s16le", "f32le"] = "s16le"
    block_ms: int = field(default=100, metadata=_limits(10, 1_000))
    queue_s: float = field(default=5.0, metadata=_limits(0.2, 60))


@dataclass(frozen=True, kw_only=True)
class GateConfig:
    """Overrides of the bundle's gate; None leaves the bundle's own value."""

    aggressiveness: int | None = field(default=None, metadata=_limits(0, 3))
    open_frames: int | None = field(default=None, metadata=_limits(1, 100))
    open_within_frames: int | None = field(default=None, metadata=_limits(1, 100))
    preroll_ms: int | None = field(default=None, metadata=_limits(0, 2_000))
    hangover_ms: int | None = field(default=None, metadata=_limits(10, 10_000))
    pause_ms: int | None = field(default=None, metadata=_limits(10, 60_000))


def gate_spec(base: GateSpec, overrides: GateConfig) -> GateSpec:
    """Return the bundle's gate with the user's overrides; a longer hangover alone makes the pause as long."""
    given = {name: value for name, value in asdict(overrides).items() if value is not None}
    return replace(base, **{"pause_ms": max(base.pause_ms, given.get("hangover_ms", 0)), **given})


@dataclass(frozen=True, kw_only=True)
class DecisionConfig:
    """How probabilities become a decision; `threshold` None takes the bundle's calibrated one."""

    smoothing_s: float = field(default=0.5, metadata=_limits(0, 30))
    threshold: float | None = field(default=None, metadata=_limits(0, 1))
    hysteresis: float = field(default=0.05, metadata=_limits(0, 1))
    min_speech_s: float = field(default=0.5, metadata=_limits(0, 10))
    report_every_s: float = field(default=1.0, metadata=_limits(0.1, 60))
    max_utterance_s: float = field(default=20.0, metadata=_limits(1, 600))


@dataclass(frozen=True, kw_only=True)
class OutputConfig:
    """Where events go. `jsonl` is rotated at `max_bytes`; `keep_files` old ones stay."""

    jsonl: Path | None = None
    max_bytes: int = field(default=1_000_000, metadata=_limits(1_000, 1_000_000_000))
    keep_files: int = field(default=1, metadata=_limits(0, 100))
    stdout: bool = False
    mqtt: bool = True


@dataclass(frozen=True, kw_only=True)
class MqttConfig:
    """The broker. TLS is used where `ca_file` is given; the certificate says who the device is."""

    host: str = "127.0.0.1"
    port: int = field(default=8883, metadata=_limits(1, 65_535))
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    keepalive_s: int = field(default=60, metadata=_limits(5, 3_600))
    session_expiry_s: int = field(default=604_800, metadata=_limits(60, 4_294_967_294))


@dataclass(frozen=True, kw_only=True)
class LearningConfig:
    """What is kept of labelled speech, and how the device trains on it."""

    max_store_bytes: int = field(default=64_000_000, metadata=_limits(10_000, 100_000_000_000))
    held_out_fraction: float = field(default=0.25, metadata=_limits(0, 0.9))
    keep_audio: bool = False
    recent_speech_s: float = field(default=30.0, metadata=_limits(1, 600))
    steps: int = field(default=300, metadata=_limits(1, 100_000))
    learning_rate: float = field(default=0.3, metadata=_limits(1e-9, 100))
    momentum: float = field(default=0.9, metadata=_limits(0, 0.9999))
    seed: int = field(default=0, metadata=_limits(0, 2**63 - 1))
    min_examples: int = field(default=4, metadata=_limits(1, 1_000_000))
    personal: bool = True
    federated: bool = True
    max_training_s: float = field(default=3_600.0, metadata=_limits(1, 86_400))


@dataclass(frozen=True, kw_only=True)
class TrustConfig:
    """Who may give this device a model.

    `root_file` is the fleet's TUF root, the one thing that a device must be given by hand; None takes no bundle
    from anybody. `pretrained` names the model of this very software that listens while nothing is installed; "none"
    waits for a signed one.
    """

    root_file: Path | None = None
    pretrained: str = DEFAULT


@dataclass(frozen=True, kw_only=True)
class Config:
    """The whole configuration of one agent; `mqtt` None works without a network."""

    device: DeviceConfig
    trust: TrustConfig = TrustConfig()
    source: SourceConfig = SourceConfig()
    gate: GateConfig = GateConfig()
    decision: DecisionConfig = DecisionConfig()
    output: OutputConfig = OutputConfig()
    mqtt: MqttConfig | None = None
    learning: LearningConfig = LearningConfig()


_SECTIONS: dict[str, type] = {
    "device": DeviceConfig,
    "trust": TrustConfig,
    "source": SourceConfig,
    "gate": GateConfig,
    "decision": DecisionConfig,
    "output": OutputConfig,
    "mqtt": MqttConfig,
    "learning": LearningConfig,
}


def default_config() -> Config:
    """Return what holds without a file: the microphone, events on standard output, no network, nobody to trust."""
    state = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    return Config(
        device=DeviceConfig(id="here", state_dir=state / "overtone"), output=OutputConfig(stdout=True, mqtt=False)
    )


def load_config(path: Path) -> Config:
    """Return the configuration in a TOML file; relative paths in it start at the file's folder.

    Raises ConfigError with one line that names the file, the section and the field.
    """
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: not TOML: {error}") from error
    return parse_config(table, str(path), path.parent)


def parse_config(table: dict[str, Any], name: str, folder: Path) -> Config:
    """Return the configuration in a parsed table; `name` is used in messages."""
    if unknown := sorted(set(table) - set(_SECTIONS)):
        raise ConfigError(f"{name}: unknown section [{unknown[0]}]; there are {', '.join(_SECTIONS)}")
    if "device" not in table:
        raise ConfigError(f"{name}: section [device] is missing")
    sections: dict[str, Any] = {
        key: read_section(_SECTIONS[key], value, where=f"{name}: [{key}]", folder=folder)
        for key, value in table.items()
    }
    config = Config(**sections)
    _check(config, name)
    return config


def _check(config: Config, name: str) -> None:
    """Raise ConfigError for fields that do not go together."""
    for key, value in (("id", config.device.id), ("fleet", config.device.fleet)):
        if not _ID.match(value):
            raise ConfigError(f"{name}: [device] {key} is {value!r}; use 1 to 63 of a-z, 0-9 and '-'")
    if config.device.id == AGGREGATOR:
        raise ConfigError(f"{name}: [device] id is {AGGREGATOR!r}, which is the aggregator's own")
    try:
        gate_spec(GateSpec(), config.gate)
    except FrontEndError as error:
        raise ConfigError(f"{name}: [gate] {str(error).removeprefix('gate: ')}") from error
    if config.source.kind == "file" and config.source.path is None:
        raise ConfigError(f"{name}: [source] path is missing for kind = 'file'")
    if config.source.kind == "command" and not config.source.command:
        raise ConfigError(f"{name}: [source] command is missing for kind = 'command'")
    if config.source.kind == "none" and config.mqtt is None:
        raise ConfigError(f"{name}: [mqtt] is missing; kind = 'none' only federates")
    root_file = config.trust.root_file
    if root_file is not None and not root_file.is_file():
        raise ConfigError(f"{name}: [trust] root_file: there is no file {root_file}")
    if config.mqtt is not None:
        if root_file is None:
            raise ConfigError(f"{name}: [trust] root_file is missing: what comes over [mqtt] must be verified")
        _check_mqtt(config.mqtt, name)


def _check_mqtt(mqtt: MqttConfig, name: str) -> None:
    try:
        named = bool(mqtt.host.encode("idna"))
    except UnicodeError:
        named = False
    if not named:
        raise ConfigError(f"{name}: [mqtt] host is {mqtt.host!r}, which names no host")
    for key in ("ca_file", "cert_file", "key_file"):
        path = getattr(mqtt, key)
        if path is not None and not path.is_file():
            raise ConfigError(f"{name}: [mqtt] {key}: there is no file {path}")
    if (mqtt.cert_file is None) != (mqtt.key_file is None):
        raise ConfigError(f"{name}: [mqtt] cert_file and key_file are needed together")
    if mqtt.cert_file is not None and mqtt.ca_file is None:
        raise ConfigError(f"{name}: [mqtt] ca_file is missing; a certificate is used with TLS only")
