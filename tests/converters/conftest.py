"""Fixtures of the converter tests: small networks, converted once for all of them."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from tests.support.tiny_models import tiny_bundle, tiny_model

from overtone_converters.build import build_bundle
from overtone_converters.training import training_model
from overtone_edge.hearing.runtime import TrainingGraph
from overtone_models.bundle import Bundle, read_bundle
from overtone_models.calibration import Calibration
from overtone_models.front_end import mfcc
from overtone_models.network_spec import EdgeTcnSpec
from overtone_models.trained_model import TrainedModel


@pytest.fixture(scope="session")
def payload() -> bytes:
    """The bytes of a tiny separable bundle."""
    return tiny_bundle()


def dense_model() -> TrainedModel:
    """Return a small dense network with random weights, calibrated in every way."""
    model = tiny_model()
    spec = EdgeTcnSpec(
        **{"n_classes": 4, "channels": 8, "kernel": 3, "dilations": (1, 2), "separable": False},
        **{"stem_stride": 1, "late_channels": 6, "late_dilations": (1,)},
    )
    rng = np.random.default_rng(5)
    weights = (0.2 * rng.normal(size=spec.layout.size)).astype(np.float32)
    asked = Calibration(temperature=0.8, threshold=0.3, speech=-2.0)
    return replace(model, network=spec, weights=weights, calibration=asked)


@pytest.fixture(scope="session")
def dense_payload() -> bytes:
    """The bytes of a tiny bundle with dense blocks."""
    model = dense_model()
    clip = (0.1 * np.random.default_rng(2).normal(size=16_000)).astype(np.float32)
    created = datetime(2026, 1, 1, tzinfo=UTC)
    return build_bundle(model, [mfcc(clip, model.front_end)], clip, name="dense", version=1, created=created)


@pytest.fixture(scope="session", params=["separable", "dense"])
def bundle(request: pytest.FixtureRequest) -> Bundle:
    """Each of the two tiny bundles."""
    return read_bundle(request.getfixturevalue("payload" if request.param == "separable" else "dense_payload"))


@pytest.fixture
def graph(bundle: Bundle) -> TrainingGraph:
    """The bundle's training graph on the runtime, without weights."""
    return TrainingGraph(bundle.training_model)


SHORT = EdgeTcnSpec(
    **{"n_features": 6, "n_classes": 3, "channels": 4, "kernel": 3, "dilations": (1, 2)},
    **{"hop_frames": 8, "late_channels": 6, "late_dilations": (1,)},
)


@pytest.fixture(scope="session")
def short_graph_file() -> bytes:
    """A training file of `SHORT` with batches of 4 and 40 frames."""
    return training_model(SHORT, batch=4, frames=40)
