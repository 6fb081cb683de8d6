"""The TOML file: what is wrong is said in one line with file and field."""

from pathlib import Path

import pytest

from overtone_cloud.aggregator.config import load_config
from overtone_cloud.errors import ConfigError

EXAMPLE = Path(__file__).parents[3] / "cloud" / "config.aggregator.example.toml"
GOOD = """
[aggregator]
fleet = "home"
[mqtt]
host = "localhost"
[model]
bundle = "b.bundle"
keys = "/etc/keys"
[evaluation]
corpus = "data"
test_speakers = ["1"]
[round]
deadline_s = 5
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "aggregator.toml"
    path.write_text(text)
    return path


def test_the_example_loads() -> None:
    config = load_config(EXAMPLE)
    assert config.aggregator.database_url.endswith("state/aggregator.sqlite")
    assert config.mqtt.ca_file == EXAMPLE.parent / "broker/clients/aggregator/ca.crt"
    assert config.evaluation.test_speakers == ("16", "17", "18")


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, GOOD))
    assert (config.model.bundle, config.model.keys) == (tmp_path / "b.bundle", Path("/etc/keys"))
    assert config.round.deadline_s == 5.0


def test_state_and_releases_lie_beside_the_file_by_default(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, GOOD))
    assert config.aggregator.state_dir == tmp_path / "state"
    assert config.model.out == tmp_path / "releases"


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ("deadline_s = 5", "deadline = 5", "[round] unknown key 'deadline'; did you mean 'deadline_s' (in seconds)?"),
        ("deadline_s = 5", 'deadline_s = "10 min"', "[round] deadline_s must be a number (seconds), got '10 min'"),
        ("deadline_s = 5", "deadline_s = -5", "[round] deadline_s is -5.0, limit is 0..2592000 (0 not included)"),
        ("deadline_s = 5", "deadline_s = nan", "[round] deadline_s is nan"),
        ("deadline_s = 5", "steps = 2.5", "[round] steps must be a whole number, got 2.5"),
        ("deadline_s = 5", "steps = true", "[round] steps must be a whole number, got True"),
        ('fleet = "home"', "", "[aggregator] fleet is missing"),
        ('fleet = "home"', 'fleet = "Home!"', "[aggregator] fleet is 'Home!'; use 1 to 63 of a-z"),
        (
            'host = "localhost"',
            'host = "far.example"',
            "[mqtt] ca_file is missing: host 'far.example' is another machine",
        ),
        ('host = "localhost"', 'host = "localhost"\nca_file = "x"', "[mqtt] ca_file, cert_file and key_file"),
        (
            'test_speakers = ["1"]',
            "test_speakers = [1]",
            "[evaluation] test_speakers must be a list of texts, got [1]",
        ),
        ('test_speakers = ["1"]', "", "[evaluation] exactly one of split and test_speakers"),
        ("[round]", "[rounds]", "unknown section [rounds]; did you mean [round]?"),
        ("[round]", "[limits]\nmax_message_bytes = 10\n[round]", "[limits] chunk_bytes is 60000"),
        ("[round]\ndeadline_s = 5", "[broken", "aggregator.toml: "),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, old: str, new: str, text: str) -> None:
    path = write(tmp_path, GOOD.replace(old, new))
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert text in str(caught.value) and str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml"):
        load_config(tmp_path / "none.toml")
