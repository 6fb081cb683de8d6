"""Embeddings relative to what the device heard: nothing changes at first, then every utterance counts once."""

from dataclasses import replace

import numpy as np
import pytest

from overtone_edge.core.config import DecisionConfig
from overtone_edge.core.errors import InferenceError
from overtone_edge.hearing.hearing import Hearing
from overtone_edge.hearing.recent_speech import RecentSpeech
from overtone_edge.hearing.streaming import open_recogniser
from overtone_models.bundle import Bundle, read_bundle
from overtone_models.reference import Reference, ReferenceSpec


@pytest.fixture(scope="module")
def relative(bundle: Bundle) -> Bundle:
    """The committed bundle with a reference, as it is read from its file."""
    size = bundle.manifest.network.embedding_size
    mean = tuple(np.linspace(-0.5, 0.5, size).round(4).tolist())
    spec = ReferenceSpec(mean=mean, prior_utterances=2.0, memory_utterances=50, max_norm=100.0)
    return read_bundle(replace(bundle, manifest=replace(bundle.manifest, reference=spec)).to_bytes())


@pytest.fixture(scope="module")
def sound(voice, silence) -> np.ndarray:
    """Three utterances, the middle one of less than half a second."""
    parts = [voice(1.6), silence(1.5), voice(0.3, seed=3), silence(1.5), voice(1.2, pitch_hz=220.0), silence(1.5)]
    return np.concatenate([silence(0.4), *parts])


def hearing_of(bundle: Bundle) -> Hearing:
    recent = RecentSpeech(bundle.manifest.front_end, max_s=30.0)
    config = DecisionConfig(threshold=0.0, report_every_s=0.3)
    return Hearing(open_recogniser(bundle), device="a", config=config, recent=recent, clock=lambda: 7.0)


def run(hearing: Hearing, sound: np.ndarray, block: int = 1600) -> list:
    events = [e for start in range(0, sound.size, block) for e in hearing.process(sound[start : start + block])]
    return events + hearing.finish()


def utterances_of(events: list) -> list[list]:
    ends = [place for place, event in enumerate(events, 1) if event.final]
    return [events[start:end] for start, end in zip([0, *ends], ends, strict=False)]


def test_the_first_utterance_is_heard_as_without_a_reference(bundle: Bundle, relative: Bundle, sound) -> None:
    plain, shifted = (utterances_of(run(hearing_of(b), sound)) for b in (bundle, relative))
    assert plain[0] == shifted[0]
    assert plain[-1] != shifted[-1]


def test_later_utterances_are_shifted_by_the_mean_of_what_was_heard(relative: Bundle, sound) -> None:
    hearing = hearing_of(relative)
    counted: list[np.ndarray] = []
    count_utterance = hearing.recogniser.count_utterance
    hearing.recogniser.count_utterance = lambda e: (counted.append(e), count_utterance(e))[1]  # type: ignore[method-assign]
    last = run(hearing, sound)[-1]
    assert len(counted) == 2  # not the utterance of 0.3 s
    spec = relative.manifest.reference
    running = (2.0 * np.array(spec.mean) + counted[0]) / 3.0
    split = relative.head.size - len(relative.manifest.labels)
    w, b = relative.head[:split].reshape(len(spec.mean), -1), relative.head[split:]
    logits = (counted[1] + np.array(spec.mean) - running) @ w + b
    expected = relative.manifest.calibration.probabilities(logits.astype(np.float32))
    np.testing.assert_allclose(list(last.probabilities.values()), expected, atol=1e-4)


@pytest.mark.parametrize("block", [7, 160, 16_000])
def test_the_reference_does_not_depend_on_the_blocks(relative: Bundle, sound, block: int) -> None:
    whole, blocks = hearing_of(relative), hearing_of(relative)
    assert run(blocks, sound, block) == run(whole, sound, sound.size)
    for of_blocks, of_whole in zip(blocks.recogniser.reference.state, whole.recogniser.reference.state, strict=True):
        np.testing.assert_allclose(of_blocks, of_whole, atol=1e-6)


def test_what_is_more_likely_no_speech_does_not_count(relative: Bundle, sound) -> None:
    deaf = replace(relative.manifest.calibration, speech=50.0)
    hearing = hearing_of(replace(relative, manifest=replace(relative.manifest, calibration=deaf)))
    assert any(event.final for event in run(hearing, sound))
    assert hearing.recogniser.reference.state[0] == 0


def test_a_new_head_keeps_the_reference_and_another_network_begins_anew(relative: Bundle, sound, fleet) -> None:
    old = hearing_of(relative)
    run(old, sound)
    weights = relative.weights.copy()
    weights[relative.manifest.layout.head_slice] += 0.01
    same = hearing_of(replace(relative, weights=weights)).take_over(old)
    assert same.recogniser.reference.state[0] == 2
    other = read_bundle(fleet.payload(2))
    other = replace(other, manifest=replace(other.manifest, reference=relative.manifest.reference))
    assert hearing_of(other).take_over(old).recogniser.reference.state[0] == 0
    assert old.without_reference().recogniser.reference.state[0] == 0


def test_a_personal_head_is_relative_too(relative: Bundle, sound) -> None:
    hearing = hearing_of(relative)
    run(hearing, sound)
    recogniser = hearing.recogniser
    embedding = np.ones(relative.manifest.network.embedding_size, np.float32)
    before = recogniser.probabilities(embedding)
    recogniser.set_head(relative.head)
    np.testing.assert_allclose(recogniser.probabilities(embedding), before, atol=1e-6)


def test_a_reference_of_another_model_is_refused(bundle: Bundle, relative: Bundle) -> None:
    spec = replace(relative.manifest.reference, prior_utterances=9.0)
    with pytest.raises(InferenceError, match="the reference is of another model"):
        open_recogniser(relative).use_reference(Reference(spec))
    assert open_recogniser(bundle).reference is None
