"""Fixtures of the benchmark's tests: a trained model on synthetic voices."""

from pathlib import Path

import pytest

from overtone_cloud.recognition.subject import Subject
from overtone_cloud.training.experiment import divide, load_plan, read_features
from overtone_cloud.training.run_folder import RunFolder


@pytest.fixture(scope="session")
def subject(trained: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Subject:
    """The run on synthetic voices whose test speakers are 5 and 6; its results are kept apart from the run."""
    plan, settings = load_plan(RunFolder(trained))
    _, features = read_features(plan, cache=cache)
    model = RunFolder(trained).load_model()
    return Subject(model, *divide(features, plan.run_fold, settings), tmp_path_factory.mktemp("subject"), cache)
