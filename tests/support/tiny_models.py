"""Small streaming networks with random weights, and their bundles."""

import math
from datetime import UTC, datetime

import numpy as np

from overtone_common.audio import SAMPLE_RATE_HZ
from overtone_converters.build import build_bundle
from overtone_models.front_end import FrontEndSpec, mfcc
from overtone_models.gate import GateSpec
from overtone_models.network_spec import EdgeTcnSpec
from overtone_models.trained_model import TrainedModel


def tiny_model(labels: tuple[str, ...] = ("neutral", "happy", "sad", "angry"), seed: int = 0) -> TrainedModel:
    """Return a network of 16 channels with random weights."""
    spec = EdgeTcnSpec(n_classes=len(labels), channels=16, dilations=(1, 2))
    rng = np.random.default_rng(seed)
    weights = {
        t.name: (rng.normal(size=t.shape) / np.sqrt(math.prod(t.shape[:-1]))).astype(np.float32)
        for t in spec.layout.tensors
    }
    return TrainedModel(
        network=spec,
        weights=spec.layout.flatten(weights),
        labels=labels,
        standardise_mean=np.zeros(spec.n_features, np.float32),
        standardise_scale=np.full(spec.n_features, 0.05, np.float32),
        front_end=FrontEndSpec(),
        gate=GateSpec(),
        licence="none: random weights",
    )


def tiny_bundle(
    labels: tuple[str, ...] = ("neutral", "happy", "sad", "angry"), seed: int = 0, version: int = 1
) -> bytes:
    """Return an unsigned bundle of `tiny_model`; equal arguments give equal bytes."""
    model = tiny_model(labels, seed)
    rng = np.random.default_rng(seed)
    clip = (0.1 * rng.normal(size=SAMPLE_RATE_HZ)).astype(np.float32)
    calibration = [mfcc(clip, model.front_end)]
    created = datetime(2026, 1, 1, tzinfo=UTC)
    return build_bundle(model, calibration, clip, name="tiny", version=version, created=created)
