"""Fixtures of the benchmark's tests: a trained model on synthetic voices, everyday sounds made by rule."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from overtone_cloud.recognition.subject import Subject
from overtone_cloud.training.experiment import divide, load_plan, read_features
from overtone_cloud.training.run_folder import RunFolder

RATE_HZ = 16_000


@pytest.fixture(scope="session")
def subject(trained: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Subject:
    """The run on synthetic voices whose test speakers are 5 and 6; its results are kept apart from the run."""
    plan, settings = load_plan(RunFolder(trained))
    _, features = read_features(plan, cache=cache)
    model = RunFolder(trained).load_model()
    return Subject(model, *divide(features, plan.chosen, settings), tmp_path_factory.mktemp("subject"), cache)


@pytest.fixture(scope="session")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of eight everyday sounds of 2 s: noises of several colours, and a bark in silence."""
    folder = tmp_path_factory.mktemp("sounds")
    rng = np.random.default_rng(0)
    for number in range(8):
        noise = np.convolve(rng.normal(size=2 * RATE_HZ), np.ones(1 + 3 * number), "same")
        if number == 7:
            noise[800:] = 0.0
        soundfile.write(folder / f"1-{1000 + number}-A.wav", 0.3 * noise / np.abs(noise).max(), RATE_HZ)
    return folder
