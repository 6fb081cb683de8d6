"""Fixtures of the cloud tests: a small corpus of synthetic voices, and one run trained on it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.support.shared_folders import shared_folder

SOUND_RATE_HZ = 16_000
Overtone = Callable[..., tuple[int, str, str]]

SETTINGS = """\
size = "S"
epochs = 6
batch = 8
warmup_steps = 5
evaluate_every_epochs = 2
inner_fraction = 0.25

[augmentation]
noise_probability = 0.25
"""


@pytest.fixture(scope="session")
def voices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus of 6 synthetic speakers, 3 emotions, 4 clips of each."""
    from overtone_cloud.synthesis import write_corpus

    def fill(folder: Path) -> None:
        write_corpus(folder / "corpus", 6, ("neutral", "sad", "angry"), 4, seed=3)

    return shared_folder(tmp_path_factory, "voices", fill) / "corpus"


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The feature cache of all test processes."""
    return shared_folder(tmp_path_factory, "cache", lambda _: None)


@pytest.fixture(scope="session")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A TOML of training settings that take seconds."""

    def fill(folder: Path) -> None:
        (folder / "quick.toml").write_text(SETTINGS)

    return shared_folder(tmp_path_factory, "settings", fill) / "quick.toml"


@pytest.fixture
def overtone(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Overtone:
    """Return a function that runs `overtone ...` and returns its status, stdout and stderr."""
    from overtone_cloud.cli.main import main

    monkeypatch.setenv("COLUMNS", "160")

    def call(*words: object) -> tuple[int, str, str]:
        capsys.readouterr()
        status = main([str(word) for word in words])
        output = capsys.readouterr()
        return status, output.out, output.err

    return call


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, voices: Path, cache: Path, quick: Path) -> Path:
    """The folder of one finished run: speakers 5 and 6 are its test."""
    from overtone_cloud.cli.main import main

    def fill(folder: Path) -> None:
        words = ["train", voices, "--out", folder / "run", "--test-speakers", "spk05,spk06", "--config", quick]
        assert main([*map(str, words), "--cache", str(cache), "--json"]) == 0

    return shared_folder(tmp_path_factory, "trained", fill) / "run"


@pytest.fixture(scope="session")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of eight everyday sounds of 2 s: noises of several colours, and a bark in silence."""
    import soundfile

    folder = tmp_path_factory.mktemp("sounds")
    rng = np.random.default_rng(0)
    for number in range(8):
        noise = np.convolve(rng.normal(size=2 * SOUND_RATE_HZ), np.ones(1 + 3 * number), "same")
        if number == 7:
            noise[800:] = 0.0
        soundfile.write(folder / f"1-{1000 + number}-A.wav", 0.3 * noise / np.abs(noise).max(), SOUND_RATE_HZ)
    return folder
