"""The personal head's training: another view of the same head, a pull towards the shared one, nothing forgotten."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overtone_edge.hearing.runtime import TrainingGraph
from overtone_edge.install.quality import logits_of
from overtone_edge.learning.personal import (
    PRIOR,
    UNLABELLED_SHARE,
    Coordinates,
    LabelledEmbeddings,
    class_weights,
    fit,
    targets_of,
)
from overtone_edge.learning.training_steps import Plan, batches
from overtone_models.bundle import Bundle
from overtone_models.front_end import F32

PLAN = Plan(scope="head", steps=120, learning_rate=0.3, momentum=0.9, seed=3)
SMOOTHING = 0.1


@pytest.fixture(scope="module")
def graph(bundle: Bundle) -> TrainingGraph:
    return TrainingGraph(bundle.training_model)


def owner(width: int, per_label: tuple[int, ...], *, seed: int = 0, spread: float = 0.3) -> LabelledEmbeddings:
    """Return utterances around one place for each label; the places lie off the middle, and channels differ in size."""
    random = np.random.default_rng(seed)
    size = np.geomspace(0.1, 3.0, width)
    places = np.random.default_rng(99).normal(size=(len(per_label), width)) * size + 2.0
    rows = [p + spread * size * random.normal(size=(n, width)) for p, n in zip(places, per_label, strict=True)]
    return LabelledEmbeddings(np.concatenate(rows).astype(np.float32), np.repeat(np.arange(len(per_label)), per_label))


def recall(head: F32, utterances: LabelledEmbeddings) -> float:
    return float((logits_of(head, utterances.embeddings).argmax(1) == utterances.labels).mean())


@given(st.integers(1, 9), st.integers(1, 12), st.integers(2, 5), st.integers(0, 99))
def test_coordinates_show_the_same_head(count: int, width: int, classes: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    x = (random.normal(size=(count, width)) * random.uniform(0.01, 10, width) + 3).astype(np.float32)
    head = random.normal(size=width * classes + classes).astype(np.float32)
    view = Coordinates.of(x)
    inside = logits_of(view.transform_head(head), view.transform(x))
    np.testing.assert_allclose(inside, logits_of(head, x), rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(view.restore_head(view.transform_head(head)), head, rtol=1e-3, atol=2e-3)
    # No embedding is blown up: at most the root of the count, over the floor.
    assert np.linalg.norm(view.transform(x), axis=1).max() <= np.sqrt(count) / 0.3 + 1e-3


def test_coordinates_of_a_single_utterance_do_not_divide_by_nothing() -> None:
    view = Coordinates.of(np.full((1, 4), 7.0, np.float32))
    assert np.isfinite(view.transform(np.zeros((2, 4), np.float32))).all()


@given(st.integers(0, 99), st.lists(st.integers(0, 4), min_size=1, max_size=12))
def test_targets_keep_what_the_shared_head_says_of_emotions_that_were_not_labelled(seed: int, drawn: list[int]) -> None:
    labels = np.array(drawn)
    logits = np.random.default_rng(seed).normal(size=(len(labels), 6)).astype(np.float32) * 3
    targets = targets_of(logits, labels, SMOOTHING)
    said = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    np.testing.assert_allclose(targets.sum(1), 1.0, rtol=1e-5)
    missing = ~np.isin(np.arange(6), labels)
    said_of_missing, kept = said[:, missing].sum(1), targets[:, missing].sum(1)
    np.testing.assert_allclose(kept, np.minimum(said_of_missing, UNLABELLED_SHARE), rtol=1e-4)
    # Their order stays, and the owner's word outweighs all of them.
    np.testing.assert_allclose(
        targets[:, missing] * said_of_missing[:, None], said[:, missing] * kept[:, None], rtol=1e-3, atol=1e-6
    )
    of_own = targets[np.arange(len(labels)), labels]
    assert (of_own >= kept).all()
    assert (of_own[:, None] >= targets - 1e-6).all()


@given(st.lists(st.integers(0, 4), min_size=1, max_size=30))
def test_every_label_weighs_the_same(drawn: list[int]) -> None:
    labels = np.array(drawn)
    weights = class_weights(labels)
    sums = [weights[labels == label].sum() for label in np.unique(labels)]
    np.testing.assert_allclose(sums, sums[0], rtol=1e-4)
    assert weights.mean() == pytest.approx(1.0, abs=1e-5)


def test_fitting_is_gradient_descent_that_is_pulled_back(bundle: Bundle, graph: TrainingGraph) -> None:
    utterances = owner(graph.embedding_size, (9, 4, 5))
    learned = fit(graph, bundle.head, utterances, PLAN, smoothing=SMOOTHING)
    view = Coordinates.of(utterances.embeddings)
    x = view.transform(utterances.embeddings).astype(np.float64)
    y = targets_of(logits_of(bundle.head, utterances.embeddings), utterances.labels, SMOOTHING).astype(np.float64)
    weights = class_weights(utterances.labels).astype(np.float64)
    start = view.transform_head(bundle.head).astype(np.float64)
    head, velocity = start.copy(), np.zeros_like(start)
    pull = PLAN.learning_rate / (1 - PLAN.momentum) * PRIOR / len(x)
    for rows in batches(len(x), graph.batch, PLAN.steps, PLAN.seed):
        logits = logits_of(head, x[rows])
        p = np.exp(logits - logits.max(1, keepdims=True))
        g = (p / p.sum(1, keepdims=True) - y[rows]) * (weights[rows] / weights[rows].sum())[:, None]
        velocity = PLAN.momentum * velocity + np.concatenate([(x[rows].T @ g).ravel(), g.sum(0)])
        head = (head - PLAN.learning_rate * velocity + pull * start) / (1 + pull)
    expected = logits_of(head, x)
    np.testing.assert_allclose(logits_of(learned, utterances.embeddings), expected, atol=2e-3)
    again = fit(graph, bundle.head, utterances, PLAN, smoothing=SMOOTHING)
    assert np.array_equal(learned, again)


def test_a_head_learns_its_owner(bundle: Bundle, graph: TrainingGraph) -> None:
    counts = (5,) * graph.n_classes
    learned = fit(graph, bundle.head, owner(graph.embedding_size, counts), PLAN, smoothing=SMOOTHING)
    later = owner(graph.embedding_size, counts, seed=1)
    assert recall(learned, later) >= 0.9 > recall(bundle.head, later)


def test_emotions_that_were_not_labelled_are_not_forgotten(bundle: Bundle, graph: TrainingGraph) -> None:
    everything = (8,) * graph.n_classes
    shared = fit(graph, bundle.head, owner(graph.embedding_size, everything), PLAN, smoothing=SMOOTHING)
    whole = owner(graph.embedding_size, everything, seed=1)
    missing = whole.labels == graph.n_classes - 1
    learned = fit(graph, shared, whole.take(~missing), PLAN, smoothing=SMOOTHING)
    assert recall(learned, whole.take(missing)) >= 0.8


def test_fewer_utterances_move_the_head_less(bundle: Bundle, graph: TrainingGraph) -> None:
    few, many = (owner(graph.embedding_size, (n,) * 3, seed=4) for n in (1, 12))
    moved = [
        np.abs(
            logits_of(fit(graph, bundle.head, utterances, PLAN, smoothing=SMOOTHING), few.embeddings)
            - logits_of(bundle.head, few.embeddings)
        ).mean()
        for utterances in (few, many)
    ]
    assert moved[0] < moved[1]


def test_learning_leaves_the_mean_of_the_logits_as_it_is(bundle: Bundle, graph: TrainingGraph) -> None:
    """It says whether something is speech (ADR 0026): an owner's labels have no say in that."""
    utterances = owner(graph.embedding_size, (5,) * graph.n_classes)
    learned = fit(graph, bundle.head, utterances, PLAN, smoothing=SMOOTHING)
    before, after = (logits_of(head, utterances.embeddings) for head in (bundle.head, learned))
    assert np.abs(after - before).max() > 1.0
    np.testing.assert_allclose(after.mean(1), before.mean(1), atol=2e-3)


def test_the_highest_learning_rate_stays_finite(bundle: Bundle, graph: TrainingGraph) -> None:
    plan = replace(PLAN, learning_rate=100.0, momentum=0.9999)
    learned = fit(graph, bundle.head, owner(graph.embedding_size, (4, 4)), plan, smoothing=SMOOTHING)
    assert np.isfinite(learned).all()
