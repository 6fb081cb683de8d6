"""The aggregator's configuration: one TOML file into frozen dataclasses, checked once."""

import difflib
import math
import tomllib
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from overtone_cloud.aggregator.errors import ConfigError
from overtone_cloud.aggregator.rounds import RoundConfig
from overtone_cloud.aggregator.server_optimizers import NAMES, Name, ServerOptimizer, server_optimizer
from overtone_protocol import Limits, ProtocolError, Topics

T = TypeVar("T")
LOOPBACK = ("127.0.0.1", "::1", "localhost")
KINDS: dict[type, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    Path: "text",
}


@dataclass(frozen=True, kw_only=True)
class FleetConfig:
    """[aggregator]: whom it serves and where it keeps its state."""

    fleet: str
    state_dir: Path = Path("state")
    database: str = ""
    """SQLAlchemy address; empty for `aggregator.sqlite` in `state_dir`."""
    linger_s: float = 120.0
    """After the last of `--rounds`, how long devices have to fetch the release before the aggregator ends."""

    def __post_init__(self) -> None:
        Topics(self.fleet)  # raises when the name cannot be part of a topic
        if not (math.isfinite(self.linger_s) and self.linger_s >= 0):
            raise ValueError(f"linger_s is {self.linger_s}, it must not be negative")

    @property
    def database_url(self) -> str:
        """The address to open."""
        return self.database or f"sqlite:///{self.state_dir / 'aggregator.sqlite'}"


@dataclass(frozen=True, kw_only=True)
class MqttConfig:
    """[mqtt]: how to reach the broker; without the three files it must be on this machine."""

    host: str
    port: int = 8883
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    keepalive_s: int = 30
    session_expiry_s: int = 604_800
    reconnect_min_s: int = 1
    reconnect_max_s: int = 60

    def __post_init__(self) -> None:
        given = [path is not None for path in (self.ca_file, self.cert_file, self.key_file)]
        if any(given) and not all(given):
            raise ValueError("ca_file, cert_file and key_file are needed together")
        if not any(given) and self.host not in LOOPBACK:
            raise ValueError(f"host {self.host!r} is another machine: ca_file, cert_file and key_file are needed")
        for name, least, most in (
            ("port", 1, 65_535),
            ("keepalive_s", 5, 65_535),
            ("session_expiry_s", 60, 2**32 - 2),
            ("reconnect_min_s", 1, 3600),
            ("reconnect_max_s", self.reconnect_min_s, 3600),
        ):
            if not least <= getattr(self, name) <= most:
                raise ValueError(f"{name} is {getattr(self, name)}, it must lie in {least}..{most}")


@dataclass(frozen=True, kw_only=True)
class ServerConfig:
    """[server]: the server optimiser; `momentum` belongs to "sgd" (federated averaging), `epsilon` to "adam"."""

    learning_rate: float = 1.0
    momentum: float = 0.0
    optimizer: Name = "sgd"
    epsilon: float = 1e-3

    def __post_init__(self) -> None:
        for name in ("learning_rate", "epsilon"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise ValueError(f"{name} is {value}, it must be positive")
        if not 0 <= self.momentum < 1:
            raise ValueError(f"momentum is {self.momentum}, it must lie in 0..1 (1 not included)")
        if self.optimizer not in NAMES:
            raise ValueError(f"optimizer is {self.optimizer!r}, it must be one of {', '.join(NAMES)}")
        if self.optimizer == "adam" and (self.momentum or self.learning_rate >= 1):
            raise ValueError('optimizer "adam" needs a learning_rate below 1, about 0.01, and takes no momentum')

    def build(self) -> ServerOptimizer:
        """Return the optimiser that these settings describe."""
        return server_optimizer(
            self.optimizer, learning_rate=self.learning_rate, momentum=self.momentum, epsilon=self.epsilon
        )


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """[model]: the signed bundle to begin with, the signing keys and where releases are written."""

    bundle: Path
    keys: Path
    out: Path = Path("releases")


@dataclass(frozen=True, kw_only=True)
class EvaluationConfig:
    """[evaluation]: the test corpus of the gate and how much worse a new model may be (UAR, 0..1)."""

    corpus: Path
    split: Path | None = None
    test_speakers: tuple[str, ...] = ()
    margin: float = 0.01
    max_utterances: int = 2000

    def __post_init__(self) -> None:
        if (self.split is None) == (not self.test_speakers):
            raise ValueError("exactly one of split and test_speakers is needed")
        if not 0 <= self.margin <= 1:
            raise ValueError(f"margin is {self.margin}, it must lie in 0..1 (0.01 is one point of UAR)")
        if self.max_utterances < 1:
            raise ValueError(f"max_utterances is {self.max_utterances}, it must be at least 1")


@dataclass(frozen=True, kw_only=True)
class QuotaConfig:
    """[transfers]: what one device may have open at a time."""

    max_open: int = 4
    max_open_bytes: int = 32 * 1024 * 1024

    def __post_init__(self) -> None:
        if self.max_open < 1 or self.max_open_bytes < 1:
            raise ValueError(f"max_open {self.max_open} and max_open_bytes {self.max_open_bytes} must be at least 1")


@dataclass(frozen=True, kw_only=True)
class AggregatorConfig:
    """The whole file."""

    aggregator: FleetConfig
    mqtt: MqttConfig
    model: ModelConfig
    evaluation: EvaluationConfig
    round: RoundConfig = field(default_factory=RoundConfig)
    server: ServerConfig = field(default_factory=ServerConfig)
    transfers: QuotaConfig = field(default_factory=QuotaConfig)
    limits: Limits = field(default_factory=Limits)


def load_config(path: Path) -> AggregatorConfig:
    """Return the configuration in a TOML file; paths in it are relative to the file's own folder."""
    try:
        with path.open("rb") as file:
            table = tomllib.load(file)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: {error}") from error
    return _build(AggregatorConfig, table, path, "")


def _build(kind: type[T], table: dict[str, Any], path: Path, section: str) -> T:
    """Return the dataclass `kind` from a table; raise ConfigError with file and field."""
    where = f"{path}: [{section}] " if section else f"{path}: "
    hints = get_type_hints(kind)
    known = {f.name: hints[f.name] for f in fields(kind)}  # type: ignore[arg-type]
    for key in table:
        if key not in known:
            near = difflib.get_close_matches(key, known, 1, 0.5)
            raise ConfigError(f"{where}unknown key {key!r}" + (f", did you mean {near[0]!r}?" if near else ""))
    values = {key: _value(value, known[key], path, section, key) for key, value in table.items()}
    for name, default in ((f.name, f.default) for f in fields(kind)):  # type: ignore[arg-type]
        if isinstance(default, Path):
            values.setdefault(name, path.parent / default)
    try:
        return kind(**values)
    except TypeError as error:
        missing = str(error).rpartition(": ")[2]
        raise ConfigError(f"{where}{'keys' if section else 'sections'} missing: {missing}") from error
    except (ValueError, ProtocolError) as error:
        raise ConfigError(f"{where}{error}") from error


def _value(value: Any, kind: Any, path: Path, section: str, key: str) -> Any:
    """Return one value as the field's type wants it."""
    if is_dataclass(kind) and isinstance(kind, type):
        if not isinstance(value, dict):
            raise ConfigError(f"{path}: {key} is {value!r}, it must be a section [{key}]")
        return _build(kind, value, path, key)
    kinds = [k for k in get_args(kind) if k is not type(None)] if type(None) in get_args(kind) else [kind]
    wanted = kinds[0]
    where = f"{path}: [{section}] {key} is {value!r}, "
    if get_origin(wanted) is tuple:
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise ConfigError(f"{where}it must be a list of texts")
        return tuple(value)
    plain = wanted if isinstance(wanted, type) else str
    fits = {
        bool: isinstance(value, bool),
        int: isinstance(value, int) and not isinstance(value, bool),
        float: isinstance(value, int | float) and not isinstance(value, bool),
    }.get(plain, isinstance(value, str))
    if not fits:
        unit = " of seconds" if key.endswith("_s") else " of bytes" if key.endswith("_bytes") else ""
        raise ConfigError(f"{where}it must be {KINDS.get(plain, 'text')}{unit}")
    if plain is Path:
        return path.parent / value
    return float(value) if plain is float else value
