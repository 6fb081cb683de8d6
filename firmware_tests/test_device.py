"""What must hold on the device itself. No time decides; memory and results do."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from overtone_edge.bench.machine import describe, health
from overtone_edge.bench.phases import Request, measure
from overtone_edge.bench.training import batch_of
from overtone_edge.hearing.runtime import TrainingGraph, runtime_name
from overtone_edge.hearing.streaming import StreamingRecogniser, golden_difference
from overtone_edge.install.installer import GOLDEN_TOLERANCE, self_test

NOT_ON_A_DEVICE = ("tensorflow", "keras", "tensorflow_federated", "librosa", "numba", "sklearn", "matplotlib", "rich")
IMPORT_EVERYTHING = f"""
import importlib, pkgutil, sys
sys.modules.update(dict.fromkeys({NOT_ON_A_DEVICE!r}))
import overtone_edge
for module in pkgutil.walk_packages(overtone_edge.__path__, "overtone_edge."):
    importlib.import_module(module.name)
from overtone_edge.hearing.runtime import runtime_name
print(runtime_name())
"""


def test_agent_imports_without_what_no_device_has(environment, figure):
    process = subprocess.run(
        [sys.executable, "-c", IMPORT_EVERYTHING], capture_output=True, text=True, env=environment, check=False
    )
    assert process.returncode == 0, process.stderr
    figure(f"runtime {process.stdout.strip()}")


def test_this_machine_is_named(figure):
    machine = describe()
    cores, load = machine["cores"], machine["load"]
    figure(f"machine {machine['model']}, {machine['architecture']}, {cores} cores, load {load:.2f}")
    figure(f"health {health()}")
    assert cores >= 1


def test_bundle_loads_and_its_golden_clip_agrees(subject, figure):
    difference = golden_difference(subject.bundle)
    figure(
        f"bundle {subject.bundle.manifest.name} {subject.bundle.manifest.version}: golden difference {difference:.2g}"
    )
    assert difference <= GOLDEN_TOLERANCE
    self_test(subject.bundle)


def test_blocks_of_any_size_give_the_same_answer(subject):
    bundle = subject.bundle
    recogniser = StreamingRecogniser(bundle)
    whole = [hop.probabilities for hop in recogniser.process(bundle.golden_samples)]
    recogniser.begin()
    samples = bundle.golden_samples
    pieces = [recogniser.process(samples[start : start + 333]) for start in range(0, samples.size, 333)]
    cut = [hop.probabilities for hops in pieces for hop in hops]
    assert len(whole) > 0
    assert np.array_equal(whole, cut)


@pytest.mark.parametrize("scope", ["head", "full"])
def test_training_steps_lower_the_loss(scope, subject, figure):
    bundle = subject.bundle
    graph = TrainingGraph(bundle.training_model)
    start = bundle.weights[bundle.manifest.layout.scope_slice(scope)].copy()
    graph.set(scope, start)
    batch = batch_of(graph, scope)
    losses = [graph.train(scope, *batch, lr=0.01, momentum=0.9) for _ in range(30)]
    weights, velocity = graph.get(scope)
    figure(f"training {scope}: loss {losses[0]:.3f} -> {losses[-1]:.3f} nats in {len(losses)} steps")
    assert np.isfinite(losses).all()
    assert np.isfinite(weights).all()
    assert np.abs(velocity).max() > 0
    assert not np.array_equal(weights, start)
    assert losses[-1] < losses[0]


@pytest.fixture(scope="module")
def request_for(subject, tmp_path_factory):
    """Return a function that makes the bench's request for a stretch of seconds."""
    folder: Path = tmp_path_factory.mktemp("bench")
    samples = subject.bundle.golden_samples
    (folder / "bundle").write_bytes(subject.payload)
    (folder / "clip").write_bytes(np.clip(np.rint(samples * 32768.0), -32768, 32767).astype("<i2").tobytes())

    def make(seconds: float, *, paced: bool) -> Request:
        return Request(
            payload=str(folder / "bundle"),
            clip=str(folder / "clip"),
            folder=str(folder),
            seconds=seconds,
            gate_held_open=True,
            paced=paced,
        )

    return make


@pytest.mark.parametrize(("name", "seconds", "paced"), [("fast", 60.0, False), ("paced", 5.0, True)])
def test_hop_times_are_reported(name, seconds, paced, request_for, figure):
    figures = measure("listen", request_for(seconds, paced=paced))
    hop = figures["hop_ms"]
    text = ", ".join(f"{key} {hop[key]:.2f} ms" for key in ("p50", "p95", "p99", "max"))
    figure(f"hop, {name}: {text} of {hop['count']}; {figures['deadline_misses']} deadline misses")
    assert hop["count"] > 0
    assert hop["p50"] <= hop["p95"] <= hop["p99"] <= hop["max"]
    assert figures["publish"]["acknowledged"] == figures["publish"]["events"]


def test_training_step_times_are_reported(request_for, figure):
    figures = measure("train", request_for(1.0, paced=False))
    for scope in ("head", "full"):
        step = figures[f"{scope}_step_ms"]
        figure(f"training step, {scope}: p50 {step['p50']:.2f} ms, p95 {step['p95']:.2f} ms of {step['count']}")
        assert step["count"] > 0
    assert runtime_name()
