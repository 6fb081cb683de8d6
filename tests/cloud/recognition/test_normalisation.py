"""Normalisation to the speaker: learned from what was heard before, never from labels, and forgotten at no time."""

from dataclasses import replace

import numpy as np
import pytest

from overtone_cloud.recognition.normalisation import (
    CANDIDATES,
    RunningNorm,
    SpeakerNorm,
    normalised_in_order,
    predict_normalised,
)
from overtone_cloud.recognition.subject import Subject


def test_no_normalisation_leaves_everything_as_it_is(subject: Subject) -> None:
    heard = normalised_in_order(subject.model, subject.test, SpeakerNorm(prior_s=None))
    for row, mfcc in enumerate(heard):
        np.testing.assert_array_equal(mfcc, subject.test.mfcc(row))


@pytest.mark.parametrize("deviation", [False, True])
def test_a_speakers_offset_and_scale_are_learned(subject: Subject, deviation: bool) -> None:
    model = subject.model
    rng = np.random.default_rng(0)
    running = RunningNorm(model, SpeakerNorm(prior_s=1.0, deviation=deviation))

    def spoken() -> np.ndarray:
        noise = rng.normal(size=(300, model.front_end.n_mfcc))
        raw = model.standardise_mean + 30.0 + 2.0 * noise / model.standardise_scale
        return raw.astype(np.float32)

    first = model.standardise(running.normalise(spoken()))
    assert first.mean() > 1.0 or 30.0 * model.standardise_scale.mean() < 1.0
    for _ in range(30):
        last = model.standardise(running.normalise(spoken()))
    assert abs(last.mean()) < 0.25 * abs(first.mean())
    assert last.std() == pytest.approx(1.0 if deviation else 2.0, rel=0.1)


def test_an_utterance_is_normalised_with_what_came_before_it_only(subject: Subject) -> None:
    model = subject.model
    frames = subject.test.mfcc(0)
    running = RunningNorm(model, SpeakerNorm(prior_s=10.0))
    np.testing.assert_allclose(running.normalise(frames), frames, atol=1e-3)
    assert not np.allclose(running.normalise(frames), frames, atol=1e-3)


def test_labels_change_nothing(subject: Subject) -> None:
    norm = SpeakerNorm(prior_s=3.0)
    relabelled = replace(subject.test, utterances=tuple(replace(u, label="sad") for u in subject.test.utterances))
    for a, b in zip(
        normalised_in_order(subject.model, subject.test, norm),
        normalised_in_order(subject.model, relabelled, norm),
        strict=True,
    ):
        assert a is not None and b is not None
        np.testing.assert_array_equal(a, b)


def test_inner_speakers_choose(subject: Subject) -> None:
    chosen, predictions = predict_normalised(subject)
    assert chosen in CANDIDATES
    assert len(predictions) == len(subject.test)
    relabelled = tuple(replace(u, label="sad") for u in subject.test.utterances)
    assert predict_normalised(replace(subject, test=replace(subject.test, utterances=relabelled)))[0] == chosen
