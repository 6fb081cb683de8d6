"""Learning: deterministic batches, and training that helps."""

import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overtone_edge.core.errors import LearningError
from overtone_edge.install.quality import cross_entropy, quality_of, usable_examples
from overtone_edge.learning.trainer import round_update
from overtone_edge.learning.training_steps import (
    Embeddings,
    Plan,
    Windows,
    batches,
    clip_norm,
    one_hot,
    train,
)
from overtone_edge.state.examples import Example

HEAD = Plan(scope="head", steps=20, learning_rate=0.05, momentum=0.9, seed=3)
FULL = Plan(scope="full", steps=4, learning_rate=0.01, momentum=0.0, seed=3)


@given(st.integers(1, 60), st.integers(1, 20), st.integers(1, 40), st.integers(0, 5))
def test_batches_are_whole_passes(examples: int, batch: int, steps: int, seed: int) -> None:
    taken = list(batches(examples, batch, steps, seed))
    assert len(taken) == steps and all(1 <= part.size <= batch for part in taken)
    per_pass = -(-examples // batch)
    for start in range(0, steps - per_pass + 1, per_pass):
        assert sorted(np.concatenate(taken[start : start + per_pass])) == list(range(examples))
    again = list(batches(examples, batch, steps, seed))
    assert all(np.array_equal(a, b) for a, b in zip(taken, again, strict=True))


def test_training_a_head_is_gradient_descent(bundle, examples) -> None:
    training = [example for example in examples if not example.held_out]
    trained = train(bundle, training, HEAD)
    x, y = Embeddings(bundle, training).values.astype(np.float64), one_hot(training, bundle.manifest.labels)
    split = x.shape[1] * y.shape[1]
    w = bundle.head[:split].reshape(x.shape[1], -1).astype(np.float64)
    b = bundle.head[split:].astype(np.float64)
    vw, vb = np.zeros_like(w), np.zeros_like(b)
    for rows in batches(len(training), 16, HEAD.steps, HEAD.seed):
        logits = x[rows] @ w + b
        p = np.exp(logits - logits.max(1, keepdims=True))
        g = (p / p.sum(1, keepdims=True) - y[rows]) / len(rows)
        vw, vb = HEAD.momentum * vw + x[rows].T @ g, HEAD.momentum * vb + g.sum(0)
        w, b = w - HEAD.learning_rate * vw, b - HEAD.learning_rate * vb
    assert np.abs(trained.weights - np.concatenate([w.ravel(), b])).max() < 1e-4
    assert trained.loss_after < trained.loss_before
    assert trained.loss_before == pytest.approx(
        float(cross_entropy((x @ bundle.head[:split].reshape(w.shape) + bundle.head[split:]), y).mean()), rel=1e-4
    )


@pytest.mark.parametrize("plan", [HEAD, FULL], ids=["head", "full"])
def test_a_training_can_be_repeated_to_the_bit(bundle, examples, plan: Plan) -> None:
    first, second = train(bundle, examples, plan), train(bundle, examples, plan)
    assert np.array_equal(first.weights, second.weights)
    part = bundle.manifest.layout.scope_slice(plan.scope)
    assert first.weights.shape == bundle.weights[part].shape


def test_windows_repeat_short_speech_and_cut_long(bundle) -> None:
    n = bundle.manifest.front_end.n_mfcc
    short = Example(np.arange(30 * n, dtype=np.float32).reshape(30, n), "happy", False)
    long = Example(np.arange(90 * n, dtype=np.float32).reshape(90, n), "happy", False)
    rows = Windows(bundle, [short, long], frames=50, seed=0).rows(np.array([0, 1]), 5)
    assert rows.shape == (2, 50, n)
    assert np.array_equal(rows[0, :20], rows[0, 30:])
    whole = bundle.standardise(long.frames)
    assert any(np.array_equal(rows[1], whole[start : start + 50]) for start in range(41))


def test_a_round_s_update_is_the_clipped_difference(bundle, examples) -> None:
    full, answer = round_update(bundle, examples, HEAD, max_norm=1e6)
    short, _ = round_update(bundle, examples, HEAD, max_norm=0.01)
    assert answer["examples"] == 8
    assert np.linalg.norm(short.astype(np.float64)) <= 0.01
    assert np.allclose(short / np.linalg.norm(short), full / np.linalg.norm(full), atol=1e-4)
    assert np.allclose(full, train(bundle, examples[:8], HEAD).weights - bundle.head)


def test_without_examples_nothing_is_trained(bundle) -> None:
    with pytest.raises(LearningError, match="no training example"):
        train(bundle, [], HEAD)


def test_a_learning_rate_that_explodes_is_an_error(bundle, examples) -> None:
    plan = Plan(scope="head", steps=30, learning_rate=1e38, momentum=0.9, seed=0)
    with pytest.raises(LearningError, match="weights are not finite"):
        train(bundle, examples, plan)


def test_examples_that_the_model_cannot_use_are_left_out(bundle, examples) -> None:
    tiny = Example(examples[0].frames[:5], "happy", False)
    other = Example(examples[0].frames, "bored", False)
    assert usable_examples(bundle, [tiny, other, examples[0]]) == [examples[0]]


def test_quality_is_the_recall_of_each_label_and_the_calibrated_loss() -> None:
    logits = np.array([[2.0, 0.0], [2.0, 0.0], [0.0, 2.0], [2.0, 0.0]], np.float32)
    labels = np.array([0, 0, 0, 1])
    found, losses = quality_of(logits, labels, 2.0)
    assert found.uar == pytest.approx((2 / 3 + 0) / 2)
    right, wrong = np.log(1 + np.exp(-1.0)), np.log(1 + np.exp(1.0))
    assert losses == pytest.approx([right, right, wrong, wrong])
    assert found.loss == pytest.approx(losses.mean())


def test_clipping_keeps_what_is_short() -> None:
    delta = np.full(100, 1e18, np.float32)
    assert np.linalg.norm(clip_norm(delta, 10.0).astype(np.float64)) <= 10.0
    assert clip_norm(np.ones(4, np.float32), 3.0).sum() == 4.0


def test_the_trainer_ends_when_the_agent_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    from overtone_edge.core import jobs
    from overtone_edge.core.errors import JobError

    check = jobs.watch_parent()
    check()
    monkeypatch.setattr(os, "getppid", lambda: 1_000_000)
    with pytest.raises(JobError, match="the agent has ended"):
        check()
