"""Test doubles of the evaluator and the publisher, without TensorFlow."""

import io
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from overtone_cloud.aggregator.averaging import F32
from overtone_cloud.aggregator.errors import ReleaseError
from overtone_cloud.aggregator.gatekeeper import Evaluation, ReleasedModel
from overtone_models.layout import Tensor, WeightLayout


@dataclass
class TargetEvaluator:
    """Evaluator whose UAR grows as the weights approach `target` (all weights 0 by default)."""

    target: float = 0.0
    evaluated: list[F32] = field(default_factory=list)

    def evaluate(self, weights: F32) -> Evaluation:
        """Return a UAR that falls from 1 with the mean distance."""
        self.evaluated.append(weights)
        distance = float(np.mean(np.abs(weights.astype(np.float64) - self.target)))
        return Evaluation(uar=1.0 / (1.0 + distance), loss=distance, n=weights.size)


@dataclass
class FolderPublisher:
    """Writes `np.save` files instead of signed bundles; refuses everything when `broken` is set."""

    out: Path
    broken: str = ""

    def publish(self, weights: F32, *, round_number: int, version: int) -> Path:
        """Return the path of the written weights."""
        if self.broken:
            raise ReleaseError(self.broken)
        self.out.mkdir(parents=True, exist_ok=True)
        path = self.out / f"weights-{version}.bundle"
        buffer = io.BytesIO()
        np.save(buffer, weights, allow_pickle=False)
        draft = path.with_suffix(".new")
        draft.write_bytes(buffer.getvalue())
        return draft.replace(path)


def read_weights_bundle(bundle: bytes) -> F32:
    """Return the weights in a bundle that `FolderPublisher` wrote."""
    weights: F32 = np.load(io.BytesIO(bundle), allow_pickle=False)
    return weights


def small_layout(body: int = 40, head: int = 10) -> WeightLayout:
    """Return a layout of two tensors."""
    return WeightLayout((Tensor("body", (body,)), Tensor("head", (head,), head=True)))


def first_model(out: Path, *, layout: WeightLayout | None = None, seed: int = 1) -> ReleasedModel:
    """Return version 1 with random weights, written to `out`."""
    layout = layout or small_layout()
    weights = np.random.default_rng(seed).normal(size=layout.size).astype(np.float32)
    path = FolderPublisher(out).publish(weights, round_number=0, version=1)
    return ReleasedModel(path=path, version=1, weights=weights, layout=layout, front_end=bytes(range(32)))
