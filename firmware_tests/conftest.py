"""Fixtures of the checks on a device: the bundle that is checked, and figures for the end of the report."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tests.bundles import committed_bundles

from overtone_edge.bench.cli import Subject, open_bundle
from overtone_models.errors import PretrainedError
from overtone_models.pretrained import find_pretrained

FIGURES = pytest.StashKey[list[str]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[FIGURES] = []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print what was measured; nothing of it decides whether a test passes."""
    if config.stash[FIGURES]:
        terminalreporter.section("measured on this machine")
        for line in config.stash[FIGURES]:
            terminalreporter.write_line(line)


@pytest.fixture
def figure(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Return a function that keeps a line for the end of the report."""
    return request.config.stash[FIGURES].append


@pytest.fixture(scope="session")
def environment() -> dict[str, str]:
    """Environment for child processes, with this process's import path."""
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}


@pytest.fixture(scope="session")
def subject(tmp_path_factory: pytest.TempPathFactory) -> Subject:
    """The bundle under test: OVERTONE_BUNDLE, else models/pretrained, else a committed one with random weights."""
    configured = os.environ.get("OVERTONE_BUNDLE")
    if configured:
        return open_bundle(Path(configured), None)
    try:
        return open_bundle(find_pretrained().bundle, None)
    except PretrainedError:
        path = tmp_path_factory.mktemp("bundle") / "tiny.bundle"
        path.write_bytes(committed_bundles()["tiny-1"])
        return open_bundle(path, None)


@pytest.fixture(scope="session")
def long_recording(tmp_path_factory: pytest.TempPathFactory, subject: Subject) -> Path:
    """Five minutes: the golden clip with a pause of 1 s after it, again and again."""
    path = tmp_path_factory.mktemp("sound") / "long.wav"
    once = np.concatenate([subject.bundle.golden_samples, np.zeros(16_000, np.float32)])
    with soundfile.SoundFile(path, "w", samplerate=16_000, channels=1, subtype="PCM_16") as file:
        for _ in range(300 * 16_000 // once.size):
            file.write(once)
    return path
