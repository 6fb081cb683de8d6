"""The aggregator's configuration: one TOML file into frozen dataclasses, checked once."""

from dataclasses import dataclass, field
from pathlib import Path

from overtone_cloud.aggregator.errors import ConfigError
from overtone_cloud.aggregator.rounds import RoundConfig
from overtone_common import link, toml_config
from overtone_common.toml_config import check_limits, limits
from overtone_protocol import Limits, ProtocolError
from overtone_protocol.topics import check_name


@dataclass(frozen=True, kw_only=True)
class FleetConfig:
    """[aggregator]: whom it serves and where it keeps its state."""

    fleet: str
    state_dir: Path = Path("state")
    database: str = ""
    """SQLAlchemy address; empty for `aggregator.sqlite` in `state_dir`."""
    linger_s: float = field(default=120.0, metadata=limits(0))
    """After the last of `--rounds`, how long devices have to fetch the release before the aggregator ends."""

    def __post_init__(self) -> None:
        check_name("fleet", self.fleet)
        check_limits(self)

    @property
    def database_url(self) -> str:
        """The address to open."""
        return self.database or f"sqlite:///{self.state_dir / 'aggregator.sqlite'}"


@dataclass(frozen=True, kw_only=True)
class MqttConfig(link.MqttConfig):
    """[mqtt]: how to reach the broker; with TLS the aggregator always shows its certificate."""

    host: str = field()
    keepalive_s: int = field(default=30, metadata=limits(5, 65_535))

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.ca_file is not None and self.cert_file is None:
            raise ValueError("ca_file, cert_file and key_file are needed together")


@dataclass(frozen=True, kw_only=True)
class ServerConfig:
    """[server]: the server optimiser."""

    learning_rate: float = field(default=1.0, metadata=limits(above=0))
    momentum: float = field(default=0.0, metadata=limits(0, below=1))

    def __post_init__(self) -> None:
        check_limits(self)


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
    margin: float = field(default=0.01, metadata=limits(0, 1))
    max_utterances: int = field(default=2000, metadata=limits(1))

    def __post_init__(self) -> None:
        check_limits(self)
        if (self.split is None) == (not self.test_speakers):
            raise ValueError("exactly one of split and test_speakers is needed")


@dataclass(frozen=True, kw_only=True)
class QuotaConfig:
    """[transfers]: what one device may have open at a time."""

    max_open: int = field(default=4, metadata=limits(1))
    max_open_bytes: int = field(default=32 * 1024 * 1024, metadata=limits(1))

    def __post_init__(self) -> None:
        check_limits(self)


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
    return toml_config.load_config(AggregatorConfig, path, error=ConfigError, refusals=(ProtocolError,))
