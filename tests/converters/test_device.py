"""A device as others see it: it says the same as the agent's own parts, and learns as the agent does."""

from dataclasses import replace

import numpy as np
import pytest

from overtone_cloud.synthesis import golden_clip
from overtone_converters.device import Device
from overtone_converters.errors import ConversionError
from overtone_edge.hearing.streaming import StreamingRecogniser
from overtone_models.bundle import Bundle, read_bundle
from overtone_models.calibration import Calibration
from overtone_models.front_end import F32, mfcc
from overtone_models.gate import speech_span


@pytest.fixture(scope="module")
def bundle(payload: bytes) -> Bundle:
    return read_bundle(payload)


@pytest.fixture(scope="module")
def speech() -> F32:
    silence = np.zeros(16_000, np.float32)
    return np.concatenate([silence, golden_clip(), silence])


def with_threshold(bundle: Bundle, threshold: float) -> Bundle:
    return replace(bundle, manifest=replace(bundle.manifest, calibration=Calibration(threshold=threshold)))


def test_the_decision_at_the_end_is_that_over_the_whole_utterance(bundle: Bundle, speech: F32) -> None:
    device = Device(with_threshold(bundle, 0.0))
    listened = device.listen(speech)
    first, last = speech_span(speech, bundle.manifest.gate)
    frames = mfcc(speech[first:last], bundle.manifest.front_end)
    label, probabilities = device.whole(frames)
    assert len(listened.utterances) == 1
    assert listened.decision == label is not None
    expected = StreamingRecogniser(bundle).probabilities(StreamingRecogniser(bundle).embedding(frames))
    np.testing.assert_allclose(probabilities, expected, atol=1e-6)


def test_every_second_has_the_labels_in_force(bundle: Bundle, speech: F32) -> None:
    windows = Device(with_threshold(bundle, 0.0)).listen(speech).windows
    assert len(windows) == 4
    assert not windows[0]
    assert windows[1] and windows[2]
    assert all(label in bundle.manifest.labels for window in windows for label in window)


def test_no_decision_where_the_threshold_is_not_reached_and_where_nobody_speaks(bundle: Bundle, speech: F32) -> None:
    unsure = Device(with_threshold(bundle, 0.999)).listen(speech)
    assert unsure.decision is None
    assert not any(unsure.windows)
    silent = Device(bundle).listen(np.zeros(24_000, np.float32))
    assert (silent.windows, silent.utterances, silent.decision) == ((frozenset(), frozenset()), (), None)
    assert Device(bundle).listen(np.zeros(0, np.float32)).windows == ()


def test_a_head_is_learned_and_judged_by_the_given_speech(bundle: Bundle) -> None:
    rng = np.random.default_rng(0)
    middle = {"neutral": -20.0, "angry": 20.0}
    labelled = [
        ((middle[label] + 3 * rng.normal(size=(60, 40))).astype(np.float32), label)
        for label in ("neutral", "angry")
        for _ in range(8)
    ]
    device = Device(bundle)
    head, report = device.personalise(labelled)
    assert report["examples"] == report["judged"] == 16
    assert report["kept"]
    device.recogniser.set_head(head)
    said = [
        bundle.manifest.labels[device.recogniser.probabilities(device.recogniser.embedding(x)).argmax()]
        for x, _ in labelled
    ]
    assert said == [label for _, label in labelled]


def test_too_few_examples_are_one_line(bundle: Bundle) -> None:
    with pytest.raises(ConversionError, match=r"a device cannot learn from 1 examples: 0 of 1 .* at least 4"):
        Device(bundle).personalise([(np.zeros((60, 40), np.float32), "sad")])


def test_a_model_whose_streaming_state_is_another_is_refused(bundle: Bundle, dense_payload: bytes) -> None:
    other = read_bundle(dense_payload)
    network = replace(other.manifest.edge, dilations=(1, 4))
    wrong = replace(other, manifest=replace(other.manifest, network=network))
    with pytest.raises(ConversionError, match=r"streaming model's states are .*'state2': \(1, 4, 8\).*\(1, 8, 8\)"):
        Device(wrong)
