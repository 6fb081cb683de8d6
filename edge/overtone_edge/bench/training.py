"""Cost of training: the time of a step, and a training process concurrent with listening."""

import resource
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from overtone_common.audio import SAMPLE_RATE_HZ, from_s16le
from overtone_edge.bench.figures import spread
from overtone_edge.bench.machine import peak_resident_mb
from overtone_edge.core.errors import JobError
from overtone_edge.core.jobs import ROUND, JobResult, Jobs
from overtone_edge.hearing.example_forms import example_form_for
from overtone_edge.hearing.runtime import SCOPES, TrainingGraph
from overtone_edge.learning.training_steps import Plan
from overtone_edge.state.examples import Store
from overtone_models.bundle import Bundle
from overtone_models.front_end import F32

STEPS = {"head": 200, "full": 30}
MAX_SCOPE_S = 15.0
MIN_STEPS = 5
EXAMPLES = 16
EXAMPLE_S = 3.0
_SHIFT_SAMPLES = 1_400
_LONG_S = 86_400.0


def step_times(bundle: Bundle) -> dict[str, Any]:
    """Return the times of single steps of each scope on a full batch, after two warm-up steps."""
    graph = TrainingGraph(bundle.training_model)
    figures: dict[str, Any] = {"batch": graph.batch, "frames": graph.frames}
    for scope in SCOPES:
        times_ms: list[float] = []
        if scope in graph.scopes:
            graph.set(scope, bundle.weights[bundle.manifest.layout.scope_slice(scope)].copy())
            times_ms = _times(graph, scope, batch_of(graph, scope))
        figures[f"{scope}_step_ms"] = spread(times_ms)
    return {**figures, "peak_mb": peak_resident_mb()}


def batch_of(graph: TrainingGraph, scope: str, seed: int = 0) -> tuple[F32, F32, F32]:
    """Return random inputs, targets and weights of a full batch, as large as standardised speech is."""
    random = np.random.default_rng(seed)
    shape = (graph.batch, graph.frames, graph.n_features) if scope == "full" else (graph.batch, graph.embedding_size)
    x = random.normal(size=shape).astype(np.float32)
    y = np.eye(graph.n_classes, dtype=np.float32)[random.integers(0, graph.n_classes, graph.batch)]
    return x, y, np.ones(graph.batch, np.float32)


def _times(graph: TrainingGraph, scope: str, batch: tuple[F32, F32, F32]) -> list[float]:
    times_ms: list[float] = []
    began = time.monotonic()
    for number in range(STEPS[scope] + 2):
        before_ns = time.monotonic_ns()
        # The smallest learning rate: any number of steps stays finite and costs the same.
        graph.train(scope, *batch, lr=1e-6, momentum=0.9)
        if number >= 2:
            times_ms.append((time.monotonic_ns() - before_ns) / 1e6)
        if len(times_ms) >= MIN_STEPS and time.monotonic() - began > MAX_SCOPE_S:
            break
    return times_ms


class BackgroundTraining:
    """The agent's own trainer, run as for a round over all that the network learns here until it is stopped."""

    def __init__(self, bundle: Bundle, payload: Path, clip: Path, folder: Path) -> None:
        self._store = folder / "store"
        _fill(Store(self._store, max_bytes=sys.maxsize, held_out_fraction=0.0), bundle, clip)
        self._payload, self._scope = payload, bundle.manifest.network.scopes[-1]
        self._early: JobResult | None = None
        self._jobs = Jobs(folder / "jobs")
        self._before_s = 0.0

    def start(self) -> None:
        """Start the process."""
        plan = Plan(scope=self._scope, steps=1_000_000, learning_rate=1e-6, momentum=0.9, seed=0)
        request = {
            "purpose": ROUND,
            "max_norm": 1.0,
            "payload": str(self._payload),
            "store": str(self._store),
            "reference": str(self._store.with_name("reference")),
            "plan": asdict(plan),
        }
        self._before_s = _children_cpu_s()
        self._jobs.start(ROUND, "overtone_edge.learning.trainer", request, limit_s=_LONG_S, on_done=self._ended)

    def stop(self) -> float:
        """End the process and return its CPU seconds; raise JobError where it ended before."""
        self._jobs.close()
        if self._early is not None:
            raise JobError(f"training ended while listening was measured: {self._early.error or 'no step was left'}")
        return _children_cpu_s() - self._before_s

    def _ended(self, result: JobResult) -> None:
        self._early = result


def _children_cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _fill(store: Store, bundle: Bundle, clip: Path) -> None:
    """Store examples cut from the clip at different places."""
    with clip.open("rb") as file:
        data = file.read(int(EXAMPLE_S * SAMPLE_RATE_HZ) * 2)
    samples = np.resize(from_s16le(data, 1), int(EXAMPLE_S * SAMPLE_RATE_HZ))
    labels, form = bundle.manifest.labels, example_form_for(bundle.manifest)
    for number in range(EXAMPLES):
        example = form.from_samples(np.roll(samples, _SHIFT_SAMPLES * number))
        if example is None:
            raise JobError(f"{EXAMPLE_S:g} s of the clip give no example to train with")
        store.add(example, labels[number % len(labels)], front_end=form.digest, time_ns=number)
