"""Fixtures of the pretrained models' tests: two small corpora, a benchmark of both, and a model made of them."""

import json
import shutil
from pathlib import Path

import pytest

COMMON = ("sad", "angry")


@pytest.fixture(scope="session")
def corpora(voices: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """Command-line words of two corpora: six speakers with three classes, and two of them with two."""
    folder = tmp_path_factory.mktemp("second") / "folders"
    for label in COMMON:
        for speaker in ("spk01", "spk02"):
            (folder / label / speaker).mkdir(parents=True)
            for number in range(1, 5):
                shutil.copy(voices / speaker / f"{label}_0{number}.wav", folder / label / speaker)
    return ("--corpus", f"manifest={voices}", "--corpus", f"folders={folder}")


@pytest.fixture(scope="session")
def figures(corpora: tuple[str, ...], quick: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recognition.json of a trial with one seed, that calls itself complete."""
    from overtone_cloud.cli.main import main

    out = tmp_path_factory.mktemp("recognition")
    words = ("benchmark", "recognition", *corpora, "--settings", f"all={quick}", "--quick", "--part", "clean")
    words = (*words, "--protocol", "joint", "--protocol", "cross", "--out", out, "--cache", cache, "--json")
    assert main([str(word) for word in words]) == 0
    path = out / "recognition.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "quick": False}))
    return path


@pytest.fixture(scope="session")
def settings(figures: Path) -> Path:
    """The benchmark's settings with another seed, as a JSON file."""
    path = figures.parent / "settings.json"
    path.write_text(json.dumps({**json.loads(figures.read_text())["settings"]["all"], "seed": 5}))
    return path


@pytest.fixture(scope="session")
def order(corpora: tuple[str, ...], settings: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The words of an `overtone pretrain`, without name, figures and where it is put; its training is kept."""
    work = tmp_path_factory.mktemp("work") / "pretrain"
    return [str(word) for word in ("pretrain", *corpora, "--settings", settings, "--work", work, "--cache", cache)]


@pytest.fixture(scope="session")
def made(order: list[str], figures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a pretrained model called `tiny`, with its card and figures."""
    from overtone_cloud.cli.main import main

    out = tmp_path_factory.mktemp("pretrained")
    assert main([*order, "--name", "tiny", "--figures", str(figures), "--out", str(out), "--json"]) == 0
    return out / "tiny"
