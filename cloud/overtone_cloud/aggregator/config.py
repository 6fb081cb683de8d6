"""Configuration of the aggregator: one TOML file, loaded into frozen dataclasses and validated once."""

from dataclasses import dataclass, field
from pathlib import Path

from overtone_cloud.aggregator.errors import ConfigError
from overtone_cloud.aggregator.rounds import RoundConfig
from overtone_cloud.aggregator.server_optimizers import ServerOptimizer, server_optimizer
from overtone_common import link, toml_config
from overtone_common.toml_config import check_limits, limits
from overtone_protocol import Limits, ProtocolError
from overtone_protocol.topics import check_name


@dataclass(frozen=True, kw_only=True)
class FleetConfig:
    """[aggregator]: the fleet, and where state is stored."""

    fleet: str
    state_dir: Path = Path("state")
    database: str = ""
    """SQLAlchemy URL; empty for `aggregator.sqlite` in `state_dir`."""
    linger_s: float = field(default=120.0, metadata=limits(0))
    """How long devices have to fetch the release after the last of `--rounds`, before the aggregator ends."""

    def __post_init__(self) -> None:
        check_name("fleet", self.fleet)
        check_limits(self)

    @property
    def database_url(self) -> str:
        """The SQLAlchemy URL of the database."""
        return self.database or f"sqlite:///{self.state_dir / 'aggregator.sqlite'}"


@dataclass(frozen=True, kw_only=True)
class MqttConfig(link.MqttConfig):
    """[mqtt]: the connection to the broker; with TLS the aggregator always authenticates with a certificate."""

    host: str = field()
    keepalive_s: int = field(default=30, metadata=limits(5, 65_535))

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.ca_file is not None and self.cert_file is None:
            raise ValueError("ca_file, cert_file and key_file are needed together")


@dataclass(frozen=True, kw_only=True)
class ServerConfig:
    """[server]: the server optimiser; `momentum` is for "sgd" (federated averaging), `epsilon` for "adam"."""

    learning_rate: float = field(default=1.0, metadata=limits(above=0))
    momentum: float = field(default=0.0, metadata=limits(0, below=1))
    optimizer: str = "sgd"
    epsilon: float = field(default=1e-3, metadata=limits(above=0))

    def __post_init__(self) -> None:
        check_limits(self)
        self.build()

    def build(self) -> ServerOptimizer:
        """Return the server optimiser with these settings."""
        return server_optimizer(
            self.optimizer, learning_rate=self.learning_rate, momentum=self.momentum, epsilon=self.epsilon
        )


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """[model]: the signed bundle of the first round, the signing keys and the output folder of releases."""

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
    """[transfers]: limits on the open transfers of one device."""

    max_open: int = field(default=4, metadata=limits(1))
    max_open_bytes: int = field(default=32 * 1024 * 1024, metadata=limits(1))

    def __post_init__(self) -> None:
        check_limits(self)


@dataclass(frozen=True, kw_only=True)
class AggregatorConfig:
    """All sections of the configuration file."""

    aggregator: FleetConfig
    mqtt: MqttConfig
    model: ModelConfig
    evaluation: EvaluationConfig
    round: RoundConfig = field(default_factory=RoundConfig)
    server: ServerConfig = field(default_factory=ServerConfig)
    transfers: QuotaConfig = field(default_factory=QuotaConfig)
    limits: Limits = field(default_factory=Limits)


def load_config(path: Path) -> AggregatorConfig:
    """Return the configuration in a TOML file; relative paths start at the file's folder."""
    return toml_config.load_config(AggregatorConfig, path, error=ConfigError, refusals=(ProtocolError,))
