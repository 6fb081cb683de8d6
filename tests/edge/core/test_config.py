"""Every mistake in the configuration is one line that names file, section and field."""

from pathlib import Path

import pytest

from overtone_edge.core.config import default_config, load_config
from overtone_edge.core.errors import ConfigError

BASE = '[device]\nid = "a"\nstate_dir = "state"\n[trust]\nroot_file = "root.json"\n'


@pytest.fixture
def write(tmp_path: Path):
    (tmp_path / "root.json").write_text("{}")

    def write(text: str) -> Path:
        path = tmp_path / "agent.toml"
        path.write_text(text)
        return path

    return write


def test_a_minimal_file_has_defaults_and_paths_beside_it(write, tmp_path: Path) -> None:
    config = load_config(write(BASE))
    assert config.device.state_dir == tmp_path / "state"
    assert config.mqtt is None
    assert config.learning.keep_audio is False


def test_without_a_network_nobody_needs_to_be_trusted(write) -> None:
    config = load_config(write('[device]\nid = "a"\nstate_dir = "state"\n'))
    assert config.trust.root_file is None
    assert config.trust.pretrained == "medium"


def test_without_a_file_the_microphone_is_heard_and_nothing_is_sent(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    config = default_config()
    assert (config.source.kind, config.output.stdout, config.mqtt) == ("microphone", True, None)
    assert config.device.state_dir == tmp_path / "overtone"


def test_the_example_file_needs_no_other_file_and_no_root() -> None:
    config = load_config(Path(__file__).parents[3] / "edge" / "config.example.toml")
    assert config.device.id == "kitchen"
    assert config.device.state_dir.is_relative_to(Path.home())
    assert (config.mqtt, config.trust.root_file) == (None, None)
    assert config.output.stdout


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            BASE + "[decision]\nsmoothing_ms = 500\n",
            "[decision] unknown key 'smoothing_ms'; did you mean 'smoothing_s'",
        ),
        (
            BASE + '[decision]\nsmoothing_s = "500ms"\n',
            "[decision] smoothing_s must be a number (seconds), got '500ms'",
        ),
        (BASE + "[decision]\nthreshold = 60\n", "[decision] threshold is 60.0, limit is 0..1"),
        (BASE + "[decision]\nsmoothing_s = nan\n", "[decision] smoothing_s is nan"),
        (BASE + "[learning]\nsteps = 1.5\n", "[learning] steps must be a whole number, got 1.5"),
        (BASE + "[learning]\nkeep_audio = 1\n", "[learning] keep_audio must be true or false, got 1"),
        (BASE + "[source]\nkind = 'radio'\n", "[source] kind is 'radio'; it must be one of 'microphone'"),
        (BASE + "[source]\nkind = 'file'\n", "[source] path is missing"),
        (BASE + "[source]\nkind = 'command'\ncommand = 'arecord'\n", "[source] command must be a list of texts"),
        (BASE + "[source]\nkind = 'none'\n", "[mqtt] is missing"),
        (BASE + "[sauce]\n", "unknown section [sauce]"),
        (BASE + "[mqtt]\nca_file = 'ca.crt'\n", "[mqtt] ca_file: there is no file"),
        (BASE.replace('id = "a"', 'id = "Kitchen 1"'), "[device] id is 'Kitchen 1'"),
        (BASE.replace("root.json", "other.json"), "[trust] root_file: there is no file"),
        ("[trust]\nroot_file = 'root.json'\n", "section [device] is missing"),
        ('[device]\nid = "a"\nstate_dir = "state"\n[mqtt]\n', "[trust] root_file is missing: what comes over [mqtt]"),
        (BASE + "pretrained = 3\n", "[trust] pretrained must be a text, got 3"),
        ("[device\n", "not TOML"),
        (BASE + "[decision]\nthreshold = 1" + "0" * 400 + "\n", "[decision] threshold is too large for a number"),
        (BASE + "[learning]\nsteps = 1" + "0" * 400 + "\n", "[learning] steps is 10000"),
        (BASE + "[learning]\nsteps = 1" + "0" * 5000 + "\n", "not TOML"),
        (BASE + "[output]\njsonl = '~nosuchuser/x'\n", "[output] jsonl is '~nosuchuser/x'"),
        (BASE + '[output]\njsonl = "a\\u0000b"\n', "[output] jsonl must be a path as text"),
        (BASE + "[mqtt]\nhost = ''\n", "[mqtt] host is '', which names no host"),
        (BASE + "[mqtt]\nhost = 'a..b'\n", "[mqtt] host is 'a..b', which names no host"),
        (BASE.replace('"a"', '"aggregator"'), "[device] id is 'aggregator', which is the aggregator's own"),
        (BASE + "[gate]\nhangover_ms = 15\n", "[gate] hangover_ms is 15, it must be a multiple of 10"),
        (BASE + "[gate]\nopen_frames = 20\n", "[gate] open_frames is 20, limit is open_within_frames = 8"),
    ],
)
def test_mistakes(write, text: str, expected: str) -> None:
    path = write(text)
    with pytest.raises(ConfigError) as error:
        load_config(path)
    message = str(error.value)
    assert message.startswith(str(path))
    assert expected in message
    assert "\n" not in message or "not TOML" in message


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        load_config(tmp_path / "agent.toml")
