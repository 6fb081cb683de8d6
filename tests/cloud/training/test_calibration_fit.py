"""Calibration by few speakers: their temperature counts as far as they are many."""

import numpy as np
import pytest

from overtone_cloud.training.calibration_fit import DOUBT, calibration
from overtone_cloud.training.settings import TrainSettings
from overtone_models.calibration import fit_temperature

NO_SOUNDS = np.zeros((0, 3), np.float32)


def too_sure(rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Return logits that are right six times in ten but say nearly always, and their targets."""
    rng = np.random.default_rng(0)
    targets = rng.integers(0, 3, rows)
    said = np.where(rng.random(rows) < 0.6, targets, (targets + 1) % 3)
    return (4.0 * np.eye(3)[said] + rng.normal(size=(rows, 3))).astype(np.float32), targets


@pytest.mark.parametrize("speakers", [1, 2, 5, 50])
def test_the_fewer_speakers_the_nearer_is_the_temperature_to_1(speakers: int) -> None:
    logits, targets = too_sure(200)
    who = [f"speaker {row % speakers}" for row in range(200)]
    fitted = fit_temperature(logits, targets)
    assert fitted > 1.5
    found = calibration(logits, targets, NO_SOUNDS, TrainSettings(), speakers=who).temperature
    assert np.log(found) == pytest.approx(np.log(fitted) * speakers / (speakers + DOUBT))


def test_many_speakers_are_believed() -> None:
    logits, targets = too_sure(600)
    who = [str(row) for row in range(600)]
    found = calibration(logits, targets, NO_SOUNDS, TrainSettings(), speakers=who).temperature
    assert found == pytest.approx(fit_temperature(logits, targets), rel=0.01)
