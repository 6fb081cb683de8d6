"""The TOML reader: what loads, and one line with file, section, key, value and limit for each mistake."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest

from overtone_common.toml_config import check_limits, limits, load_config, read_config


class ConfigError(Exception):
    """The caller's own error."""


class RefusalError(Exception):
    """What a `__post_init__` raises through code of another package."""


@dataclass(frozen=True, kw_only=True)
class Inner:
    weight: float = field(default=0.5, metadata=limits(0, below=1))


@dataclass(frozen=True, kw_only=True)
class Sound:
    path: Path
    hop_ms: int = field(default=10, metadata=limits(1, 100))
    rate_hz: float = field(default=16_000.0, metadata=limits(above=0))
    wait_s: float = field(default=1.0, metadata=limits(0))
    kind: Literal["file", "microphone"] = "file"
    device: int | str | None = None
    words: tuple[str, ...] = ()
    paced: bool = False
    inner: Inner = Inner()

    def __post_init__(self) -> None:
        if self.kind == "microphone" and self.device is None:
            raise ValueError("device is missing for kind = 'microphone'")
        if self.paced:
            raise RefusalError("paced is for nobody")


@dataclass(frozen=True, kw_only=True)
class Config:
    sound: Sound
    extra: Inner | None = None
    out: Path = Path("out")


RENAMED = {"sound.hop": "sound.hop_ms", "noise": "sound", "sound.gain": "extra.weight", "output": "out"}
GOOD = '[sound]\npath = "a.wav"\n'


def load(folder: Path, text: str) -> Config:
    path = folder / "c.toml"
    path.write_text(text)
    return load_config(Config, path, error=ConfigError, refusals=(RefusalError,), renamed=RENAMED)


def test_paths_lie_beside_the_file_and_numbers_convert(tmp_path: Path) -> None:
    config = load(tmp_path, GOOD + 'rate_hz = 8000\ndevice = 3\nwords = ["a"]\n[sound.inner]\nweight = 0\n[extra]\n')
    assert config.sound.path == tmp_path / "a.wav" and config.out == tmp_path / "out"
    assert (config.sound.rate_hz, type(config.sound.rate_hz)) == (8000.0, float)
    assert (config.sound.device, config.sound.words, config.sound.inner.weight) == (3, ("a",), 0.0)
    assert config.extra == Inner()
    assert load(tmp_path, GOOD.replace("a.wav", "~/a.wav")).sound.path == Path.home() / "a.wav"
    assert load(tmp_path, GOOD.replace("a.wav", "/a.wav")).sound.path == Path("/a.wav")
    assert load(tmp_path, GOOD).extra is None


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "section [sound] is missing"),
        ("[sound]\n", "[sound] path is missing"),
        ("sound = 3\n", "[sound] must be a section, got 3"),
        ("extra = []\n" + GOOD, "[extra] must be a section, got []"),
        (GOOD + "[sound.inner]\nweight = 1\n", "[sound.inner] weight is 1.0, limit is 0..1 (1 not included)"),
        (GOOD + "[sound.iner]\n", "[sound] unknown section [sound.iner]; did you mean [inner]?"),
        (GOOD + "[sounds]\n", "unknown section [sounds]; did you mean [sound]?"),
        (GOOD + "[xyz]\n", "unknown section [xyz]; there are sound, extra, out"),
        ("outt = 'x'\n" + GOOD, "unknown key 'outt'; did you mean 'out'?"),
        (GOOD + "hop_s = 1\n", "[sound] unknown key 'hop_s'; did you mean 'hop_ms' (in milliseconds)?"),
        (GOOD + "hop_ms = '10 ms'\n", "[sound] hop_ms must be a whole number (milliseconds), got '10 ms'"),
        (GOOD + "hop_ms = 10.0\n", "[sound] hop_ms must be a whole number (milliseconds), got 10.0"),
        (GOOD + "hop_ms = true\n", "[sound] hop_ms must be a whole number (milliseconds), got True"),
        (GOOD + "hop_ms = 0\n", "[sound] hop_ms is 0, limit is 1..100"),
        (GOOD + "rate_hz = 0\n", "[sound] rate_hz is 0.0, limit is above 0"),
        (GOOD + "wait_s = -1\n", "[sound] wait_s is -1.0, limit is 0 or more"),
        (GOOD + "wait_s = inf\n", "[sound] wait_s is inf, it must be a finite number"),
        (GOOD + "wait_s = nan\n", "[sound] wait_s is nan, it must be a finite number"),
        (GOOD + "kind = 'radio'\n", "[sound] kind is 'radio'; it must be one of 'file', 'microphone'"),
        (GOOD + "kind = 'microphone'\n", "[sound] device is missing for kind = 'microphone'"),
        (GOOD + "paced = true\n", "[sound] paced is for nobody"),
        (GOOD + "words = ['a', 1]\n", "[sound] words must be a list of texts, got ['a', 1]"),
        (GOOD.replace("a.wav", ""), "[sound] path must be a path as text, got ''"),
        (GOOD + "hop = 10\n", "[sound] hop is now called hop_ms"),
        (GOOD + "gain = 10\n", "[sound] gain is now [extra] weight"),
        (GOOD + "[noise]\n", "section [noise] is now called [sound]"),
        ("output = 'x'\n" + GOOD, "output is now called out"),
        ("[sound\n", "not TOML: "),
    ],
)
def test_mistakes_are_one_line(tmp_path: Path, text: str, line: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    message = str(caught.value)
    assert message.startswith(f"{tmp_path / 'c.toml'}: {line}") and "\n" not in message
    assert line.endswith(" ") or message.endswith(line)


def test_a_missing_file_and_a_table_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml: No such file or directory"):
        load_config(Config, tmp_path / "none.toml", error=ConfigError)
    with pytest.raises(ConfigError, match=r"run\.json: must be a table of sections or keys, got 3"):
        read_config(Config, 3, where="run.json", folder=tmp_path, error=ConfigError)


@pytest.mark.parametrize("values", [{"hop_ms": 101}, {"rate_hz": float("nan")}, {"wait_s": -0.1}])
def test_limits_hold_for_configurations_made_by_code(values: dict[str, Any]) -> None:
    config = Sound(path=Path("a"), **values)
    with pytest.raises(ConfigError, match=f"sound's {next(iter(values))} is "):
        check_limits(config, what="sound's ", error=ConfigError)
