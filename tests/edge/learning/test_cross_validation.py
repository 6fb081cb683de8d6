"""The judgement over a personal head: nobody judges what it learned from, chance does not convince."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overtone_edge.core.config import load_config
from overtone_edge.core.errors import LearningError
from overtone_edge.install.quality import Quality
from overtone_edge.learning.cross_validation import FOLDS, CrossValidation, cross_validate, folds_of
from overtone_edge.learning.personal import LabelledEmbeddings
from overtone_edge.learning.schedule import keep_if_confirmed
from overtone_edge.learning.trainer import personal_head
from overtone_edge.learning.training_steps import Plan
from overtone_edge.state.examples import Example
from overtone_edge.state.home import Home
from overtone_models.bundle import Bundle
from overtone_models.front_end import F32

PLAN = Plan(scope="head", steps=100, learning_rate=0.3, momentum=0.9, seed=3)
WIDTH, CLASSES = 6, 3
SHARED = np.zeros(WIDTH * CLASSES + CLASSES, np.float32)


def nearest(part: LabelledEmbeddings) -> F32:
    """Return a head that answers the label whose mean is nearest."""
    w, b = np.zeros((WIDTH, CLASSES)), np.full(CLASSES, -100.0)
    for label in np.unique(part.labels):
        mean = part.embeddings[part.labels == label].mean(0)
        w[:, label], b[label] = mean, -0.5 * mean @ mean
    return np.concatenate([w.ravel(), b]).astype(np.float32)


def utterances(labels: np.ndarray, *, apart: float, seed: int = 0) -> LabelledEmbeddings:
    random = np.random.default_rng(seed)
    places = apart * np.eye(CLASSES, WIDTH)
    return LabelledEmbeddings((places[labels] + random.normal(size=(len(labels), WIDTH))).astype(np.float32), labels)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=40))
def test_every_label_is_spread_over_the_folds(drawn: list[int]) -> None:
    labels = np.array(drawn)
    folds = folds_of(labels)
    assert ((folds >= 0) & (folds < FOLDS)).all()
    for label in np.unique(labels):
        own = folds[labels == label]
        sizes = np.bincount(own, minlength=FOLDS)
        assert np.count_nonzero(sizes) == min(len(own), FOLDS)
        assert sizes.max() - sizes[sizes > 0].min() <= 1
        # In one piece: neighbours in time are judged together.
        assert np.count_nonzero(np.diff(own)) == np.count_nonzero(sizes) - 1


@given(st.lists(st.integers(0, 2), min_size=4, max_size=20), st.integers(0, 9))
def test_each_utterance_is_judged_once_by_a_head_that_did_not_learn_from_it(drawn: list[int], seed: int) -> None:
    labels = np.array(drawn)
    given_ones = utterances(labels, apart=1.0, seed=seed)
    counts = np.bincount(labels)[labels]
    if (counts > 1).sum() < 4:
        with pytest.raises(LearningError, match=r"share their emotion with another, limit is at least 4"):
            cross_validate(SHARED, given_ones, nearest, temperature=1.0)
        return
    learned: list[F32] = []

    def watched(part: LabelledEmbeddings) -> F32:
        learned.append(part.embeddings)
        return nearest(part)

    validation = cross_validate(SHARED, given_ones, watched, temperature=1.0)
    assert validation.utterance_count == (counts > 1).sum()
    rows = [sum(bool((row == part).all(1).any()) for part in learned) for row in given_ones.embeddings]
    assert rows == [len(learned) - 1] * len(labels)


def test_a_head_that_knows_the_owner_is_confirmed() -> None:
    validation = cross_validate(SHARED, utterances(np.repeat(np.arange(3), 5), apart=4.0), nearest, temperature=1.0)
    assert validation.confirms
    assert validation.before.uar == pytest.approx(1 / 3)
    assert validation.after.uar > 0.9


def test_labels_without_meaning_are_seldom_confirmed() -> None:
    confirmed = 0
    for seed in range(40):
        labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(3), 5))
        confirmed += cross_validate(SHARED, utterances(labels, apart=0.0, seed=seed), nearest, temperature=1.0).confirms
    assert confirmed <= 2


def test_only_a_fall_of_the_loss_beyond_the_margin_convinces() -> None:
    def confirms(loss: float) -> bool:
        return CrossValidation(10, Quality(0.5, 1.0), Quality(0.6, loss), 0.1).confirms

    assert confirms(0.8)
    assert not confirms(0.95)
    assert not confirms(1.1)


def test_the_fewer_emotions_are_labelled_the_surer_it_must_be() -> None:
    def shared(classes: int) -> F32:
        return np.concatenate([np.zeros(WIDTH * classes), np.full(classes, -50.0 * (np.arange(classes) > 2))]).astype(
            np.float32
        )

    def widened(classes: int) -> Callable[[LabelledEmbeddings], F32]:
        def fit(part: LabelledEmbeddings) -> F32:
            found = nearest(part)
            w, b = np.zeros((WIDTH, classes)), np.full(classes, -100.0)
            w[:, :CLASSES], b[:CLASSES] = found[: WIDTH * CLASSES].reshape(WIDTH, CLASSES), found[WIDTH * CLASSES :]
            return np.concatenate([w.ravel(), b]).astype(np.float32)

        return fit

    speech = utterances(np.repeat(np.arange(3), 5), apart=3.0)
    all_labelled, half = (cross_validate(shared(n), speech, widened(n), temperature=1.0) for n in (3, 6))
    assert half.after.loss == pytest.approx(all_labelled.after.loss)
    assert half.margin == pytest.approx(4 * all_labelled.margin, rel=1e-3)


def test_a_single_utterance_does_not_judge_but_its_emotion_is_labelled() -> None:
    labels = np.array([0] * 5 + [1] * 5 + [2])
    validation = cross_validate(SHARED, utterances(labels, apart=4.0), nearest, temperature=1.0)
    assert validation.utterance_count == 10
    without = cross_validate(SHARED, utterances(labels[:10], apart=4.0), nearest, temperature=1.0)
    assert validation.margin < without.margin


def test_the_device_keeps_a_head_of_two_voices_and_learns_from_all(bundle: Bundle, examples: list[Example]) -> None:
    head, answer = personal_head(bundle, examples, PLAN)
    assert answer["kept"] and answer["uar_after"] >= answer["uar_before"]
    assert answer["loss_before"] - answer["loss_after"] > answer["loss_margin"] > 0
    assert (answer["examples"], answer["judged"]) == (12, 12)
    assert answer["unlabelled"] == [label for label in bundle.manifest.labels if label not in ("happy", "sad")]
    again, same = personal_head(bundle, examples, PLAN)
    assert np.array_equal(head, again) and answer == same


def test_the_device_refuses_what_is_labelled_at_random(bundle: Bundle, examples: list[Example]) -> None:
    mixed = [Example(e.frames, "happy" if n % 4 < 2 else "sad", False) for n, e in enumerate(examples)]
    _, answer = personal_head(bundle, mixed, PLAN)
    assert not answer["kept"]


def test_a_head_that_later_speech_speaks_against_is_given_up(
    bundle: Bundle, make_config: Callable[..., Path], examples: list[Example]
) -> None:
    home = Home(load_config(make_config()))
    head, answer = personal_head(bundle, examples, PLAN)
    assert keep_if_confirmed(home, bundle, answer, head)
    stored = home.personal.load()
    assert stored is not None and stored.quality["judged"] == 12
    with pytest.raises(LearningError, match="from another bundle"):
        keep_if_confirmed(home, bundle, {**answer, "base": "0" * 64}, head)
    assert home.personal.load() is not None
    assert not keep_if_confirmed(home, bundle, {**answer, "kept": False}, head)
    assert home.personal.load() is None


def test_too_little_speech_is_one_line(bundle: Bundle, examples: list[Example]) -> None:
    with pytest.raises(LearningError, match=r"^0 of 2 labelled utterances share .* label more speech"):
        personal_head(bundle, examples[:2], PLAN)
    with pytest.raises(LearningError, match=r"^0 of 0 labelled"):
        personal_head(bundle, [], PLAN)
