"""Fixtures of the model tests: a bundle whose models are placeholders, made without TensorFlow."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from overtone_models.bundle import Bundle, Manifest
from overtone_models.calibration import Calibration
from overtone_models.front_end import FrontEndSpec
from overtone_models.gate import GateSpec
from overtone_models.network_spec import EdgeTcnSpec

LABELS = ("neutral", "happy", "sad")
NETWORK = EdgeTcnSpec(n_classes=3, channels=4, dilations=(1,))


@pytest.fixture
def parts() -> dict[str, Any]:
    """What `Bundle` takes."""
    rng = np.random.default_rng(0)
    return {
        "manifest": Manifest(
            name="small",
            version=7,
            created="2026-01-01T00:00:00Z",
            labels=LABELS,
            front_end=FrontEndSpec(),
            gate=GateSpec(),
            network=NETWORK,
            calibration=Calibration(temperature=1.25, threshold=0.3),
            base_round=2,
            lineage={"training_data": "none", "seed": "0"},
            licence="none",
        ),
        "weights": rng.normal(size=NETWORK.layout.size).astype(np.float32),
        "standardise_mean": rng.normal(size=40).astype(np.float32),
        "standardise_scale": rng.uniform(0.1, 1.0, 40).astype(np.float32),
        "streaming_model": b"streaming",
        "training_model": b"training",
        "golden_samples": (np.arange(-50, 50) / 100).astype(np.float32),
        "golden_probabilities": np.full((2, 3), 1 / 3, np.float32),
    }


@pytest.fixture
def make_bundle(parts: dict[str, Any]) -> Callable[..., bytes]:
    """Return a function that writes the bundle with some parts changed."""
    return lambda **changes: Bundle(**{**parts, **changes}).to_bytes()
