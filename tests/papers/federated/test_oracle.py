"""TensorFlow Federated as the oracle: from equal weights and batches both engines reach the same weights."""

import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from overtone_cloud.errors import ConfigError, TrainingError
from overtone_papers.federated import tff_engine
from overtone_papers.federated.own_engine import run_rounds
from overtone_papers.federated.tff_engine import TffEngine, find_python

with_tff = pytest.mark.skipif(find_python() is None, reason="no .venv-tff: `make setup-tff` makes it")


Make = Callable[..., Any]


def no_log(_line: str) -> None: ...


def farthest(first: list[np.ndarray], second: list[np.ndarray]) -> float:
    return max(float(np.abs(a - b).max()) for a, b in zip(first, second, strict=True))


@with_tff
def test_plain_sgd_agrees_after_five_rounds(make_plan: Make) -> None:
    plan, data, weights = make_plan("sgd", 0.05, 1.0)
    lines: list[str] = []
    theirs = TffEngine().run(plan, data, weights, log=lines.append, name="small")
    ours = run_rounds(plan, data, weights, log=no_log, name="small")
    assert farthest(ours.weights, weights) > 1e-2
    assert farthest(ours.weights, theirs.weights) <= 1e-5
    np.testing.assert_allclose(ours.curves["loss"], theirs.curves["loss"], atol=1e-5)
    assert ours.curves["val_accuracy"] == theirs.curves["val_accuracy"]
    assert "TensorFlow Federated 0." in lines[0] and lines[5].startswith("small: round 5 of 5, training loss ")
    assert not left_behind()


@with_tff
@pytest.mark.slow
def test_plain_sgd_agrees_on_the_papers_conv_network(make_plan: Make) -> None:
    """With tanh: a relu's kinks blow rounding errors up, see the next test."""
    plan, data, weights = make_plan("sgd", 0.01, 1.0, options={"dropout": 0.0, "activation": "tanh"})
    theirs = TffEngine().run(plan, data, weights, log=no_log, name="a-conv")
    ours = run_rounds(plan, data, weights, log=no_log, name="a-conv")
    assert farthest(ours.weights, weights) > 1e-2
    assert farthest(ours.weights, theirs.weights) <= 1e-5


@with_tff
@pytest.mark.slow
def test_with_relu_the_engines_differ_as_one_engine_does_after_a_change_in_the_last_bit(make_plan: Make) -> None:
    plan, data, weights = make_plan("sgd", 0.01, 1.0, options={"dropout": 0.0})
    signs = np.random.default_rng(1)
    nudged = [(w * (1 + 6e-8 * signs.choice([-1, 1], w.shape))).astype(np.float32) for w in weights]
    one_round = replace(plan, rounds=1)
    first = [run(one_round, data, weights, log=no_log, name="one") for run in (run_rounds, TffEngine().run)]
    assert farthest(first[0].weights, first[1].weights) <= 1e-6
    theirs = TffEngine().run(plan, data, weights, log=no_log, name="a-conv")
    ours, ours_nudged = (run_rounds(plan, data, w, log=no_log, name="a-conv") for w in (weights, nudged))
    assert farthest(ours.weights, theirs.weights) <= 10 * max(1e-6, farthest(ours.weights, ours_nudged.weights))


@with_tff
@pytest.mark.slow
def test_adam_on_both_sides_agrees_closely(make_plan: Make) -> None:
    plan, data, weights = make_plan("adam", 1e-3, 1e-2)
    theirs = TffEngine().run(plan, data, weights, log=no_log, name="small")
    ours = run_rounds(plan, data, weights, log=no_log, name="small")
    np.testing.assert_allclose(ours.curves["loss"], theirs.curves["loss"], atol=1e-4)
    assert farthest(ours.weights, theirs.weights) <= 1e-3


def left_behind() -> list[str]:
    """Return the command lines of living processes that work for a worker of this test."""
    processes = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            text = path.read_bytes().decode(errors="replace")
        except OSError:
            continue
        if f"overtone-tff-{os.getpid()}-" in text:
            processes.append((path.parent / "cmdline").read_text())
    return processes


@with_tff
@pytest.mark.slow
def test_an_interruption_ends_the_worker(make_plan: Make) -> None:
    plan, data, weights = make_plan("sgd", 0.05, 1.0, rounds=1000)

    def interrupt(line: str) -> None:
        if "round 1 " in line:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        TffEngine().run(plan, data, weights, log=interrupt, name="small")
    assert not left_behind()


def test_a_python_without_it_says_so_in_one_line(make_plan: Make) -> None:
    plan, data, weights = make_plan("sgd", 0.05, 1.0)
    with pytest.raises(TrainingError, match="TensorFlow Federated ended with status 1: ModuleNotFoundError"):
        TffEngine(python=Path(sys.executable)).run(plan, data, weights, log=no_log, name="small")


def test_the_environment_is_found_or_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python = tmp_path / "python"
    monkeypatch.setenv(tff_engine.VARIABLE, str(python))
    with pytest.raises(ConfigError, match=r"OVERTONE_TFF_PYTHON names .*, which is no file; run `make setup-tff`"):
        find_python()
    python.touch()
    assert find_python() == python
    monkeypatch.delenv(tff_engine.VARIABLE)
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "elsewhere"))
    monkeypatch.setattr(tff_engine.overtone_cloud, "__file__", str(tmp_path / "a" / "b" / "c.py"))
    with pytest.raises(ConfigError, match=r"not installed .* give --option engine=own"):
        tff_engine.require_python()
