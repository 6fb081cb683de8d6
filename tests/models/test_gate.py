"""The voice activity gate: silence passes nothing, speech passes, wherever the blocks are cut."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from overtone_models.errors import FrontEndError
from overtone_models.gate import FRAME_SAMPLES, Gate, GateSpec, Segment, WebRtcDetector, speech_span

SPEC = GateSpec()
LOUD = 0.5


class Loud:
    """A detector by rule: speech is what is louder than a tenth; counts its calls."""

    def __init__(self) -> None:
        self.calls = 0

    def votes(self, samples: np.ndarray) -> list[bool]:
        frames = samples.reshape(-1, FRAME_SAMPLES)
        self.calls += len(frames)
        return [bool(np.abs(frame).max() > 0.1) for frame in frames]


def stream(*parts: tuple[float, float]) -> np.ndarray:
    """Samples of `(seconds, level)` parts; each sample's small offset names its place."""
    levels = np.concatenate([np.full(round(seconds * 16_000), level) for seconds, level in parts])
    return (levels + 1e-7 * np.arange(levels.size)).astype(np.float32)


def passed(gate: Gate, samples: np.ndarray, cuts: list[int]) -> list[Segment]:
    return [segment for part in np.split(samples, cuts) for segment in gate.process(part)]


def utterances(segments: list[Segment]) -> list[np.ndarray]:
    """The samples of each utterance, by its segments' marks."""
    found: list[list[np.ndarray]] = []
    for segment in segments:
        if segment.begins:
            found.append([])
        found[-1].append(segment.samples)
    return [np.concatenate(parts) for parts in found]


def test_silence_passes_nothing() -> None:
    gate = Gate(SPEC, WebRtcDetector(SPEC.aggressiveness))
    rng = np.random.default_rng(0)
    quiet = (1e-4 * rng.normal(size=160_000)).astype(np.float32)
    assert gate.process(np.zeros(160_000, np.float32)) == []
    assert gate.process(quiet) == []
    assert not gate.is_open
    assert speech_span(quiet, SPEC) == (0, 0)


def test_opens_with_preroll_and_closes_after_the_hangover() -> None:
    samples = stream((1.0, 0.0), (1.0, LOUD), (2.0, 0.0))
    segments = Gate(SPEC, Loud()).process(samples)
    assert [s.begins for s in segments] == [True] + [False] * (len(segments) - 1)
    assert [s.ends for s in segments] == [False] * (len(segments) - 1) + [True]
    (speech,) = utterances(segments)
    begin = int(np.flatnonzero(samples == speech[0])[0])
    assert begin == 16_000 - SPEC.preroll_ms * 16 - 3 * FRAME_SAMPLES
    np.testing.assert_array_equal(speech, samples[begin : begin + speech.size])
    assert begin + speech.size == 32_000 + SPEC.hangover_ms * 16


def test_a_click_does_not_open_the_gate() -> None:
    samples = stream((1.0, 0.0), (0.04, LOUD), (1.0, 0.0))
    assert Gate(SPEC, Loud()).process(samples) == []


@pytest.mark.parametrize("pause_s", [0.45, 0.55, 0.9])
def test_a_pause_passes_whole_with_the_speech_that_ends_it(pause_s: float) -> None:
    samples = stream((0.5, 0.0), (0.5, LOUD), (pause_s, 0.0), (0.5, LOUD), (2.0, 0.0))
    segments = Gate(SPEC, Loud()).process(samples)
    (speech,) = utterances(segments)
    begin = int(np.flatnonzero(samples == speech[0])[0])
    np.testing.assert_array_equal(speech, samples[begin : begin + speech.size])
    assert begin + speech.size == samples.size - 32_000 + SPEC.hangover_ms * 16
    assert sum(s.resumes for s in segments) == (pause_s > 0.5)
    assert sum(s.ends for s in segments) == 1
    assert segments[-1].samples.size == 0


def test_a_longer_pause_ends_the_utterance_and_only_its_hangover_passes() -> None:
    samples = stream((0.5, 0.0), (0.5, LOUD), (1.3, 0.0), (0.5, LOUD), (2.0, 0.0))
    first, second = utterances(Gate(SPEC, Loud()).process(samples))
    assert first[-1] == samples[16_000 + SPEC.hangover_ms * 16 - 1]
    assert np.intersect1d(first, second).size == 0


def test_speech_right_after_the_end_keeps_its_preroll() -> None:
    samples = stream((0.5, LOUD), (1.0, 0.0), (0.5, LOUD), (2.0, 0.0))
    _, second = utterances(Gate(SPEC, Loud()).process(samples))
    assert second[0] == samples[24_000 - SPEC.preroll_ms * 16 - 3 * FRAME_SAMPLES]


def test_a_gate_is_open_in_a_pause_and_a_click_does_not_end_one() -> None:
    gate = Gate(SPEC, Loud())
    gate.process(stream((0.5, LOUD), (0.7, 0.0)))
    assert gate.is_open
    (end,) = gate.process(stream((0.04, LOUD), (0.4, 0.0)))
    assert end.ends and not gate.is_open


def test_without_a_pause_an_utterance_ends_with_its_hangover() -> None:
    spec = GateSpec(pause_ms=SPEC.hangover_ms)
    samples = stream((0.5, LOUD), (0.6, 0.0), (0.5, LOUD), (1.0, 0.0))
    segments = Gate(spec, Loud()).process(samples)
    first, second = utterances(segments)
    assert np.intersect1d(first, second).size == 0
    assert all(segment.samples.size for segment in segments)


def test_reset_closes_and_forgets() -> None:
    gate = Gate(SPEC, Loud())
    gate.process(stream((0.5, LOUD)))
    assert gate.is_open
    gate.reset()
    assert not gate.is_open
    samples = stream((0.3, 0.0), (0.5, LOUD), (1.0, 0.0))
    fresh = Gate(SPEC, Loud()).process(samples)
    again = gate.process(samples)
    assert len(again) == len(fresh)
    np.testing.assert_array_equal(again[0].samples, fresh[0].samples)


@pytest.mark.parametrize("block", [1, 7, 160, 1024])
def test_any_block_size_gives_the_same_segments(block: int) -> None:
    samples = stream((0.3, 0.0), (0.4, LOUD), (0.7, 0.0), (0.4, LOUD), (1.2, 0.0), (0.4, LOUD))
    whole = passed(Gate(SPEC, Loud()), samples, [])
    same_segments(passed(Gate(SPEC, Loud()), samples, list(range(block, samples.size, block))), whole)


@given(st.lists(st.integers(0, 30_000), max_size=10).map(sorted), st.integers(0, 2**16))
@settings(max_examples=40, deadline=None)
def test_any_cut_gives_the_same_segments(cuts: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    samples = stream(*((float(rng.uniform(0.05, 1.3)), level) for level in (0.0, LOUD, 0.0, LOUD, 0.0)))
    same_segments(passed(Gate(SPEC, Loud()), samples, cuts), passed(Gate(SPEC, Loud()), samples, []))


def test_runs_are_the_frames_that_pass_in_a_row_with_their_places() -> None:
    samples = stream((0.3, 0.0), (0.4, LOUD), (0.7, 0.0), (0.4, LOUD), (1.2, 0.0), (0.4, LOUD), (0.1, 0.0))
    runs = Gate(SPEC, Loud()).runs(samples)
    marks = [(run.begins, run.resumes, run.ends) for run in runs]
    begins, passes, resumes, ends = (
        (True, False, False),
        (False, False, False),
        (False, True, False),
        (False, False, True),
    )
    assert marks == [begins, passes, resumes, passes, ends, begins, passes]
    for run in runs:
        stop = run.frame * FRAME_SAMPLES
        np.testing.assert_array_equal(run.samples, samples[stop - run.samples.size : stop])
    same_segments([frame for run in runs for frame in run.by_frames()], Gate(SPEC, Loud()).process(samples))
    assert runs[-1].frame == samples.size // FRAME_SAMPLES


def test_the_detector_hears_each_frame_once() -> None:
    detector = Loud()
    gate = Gate(SPEC, detector)
    for part in np.split(stream((0.5, 0.0), (0.5, LOUD)), [7, 1_000, 9_999]):
        gate.process(part)
    assert detector.calls == 100


def same_segments(got: list[Segment], expected: list[Segment]) -> None:
    assert [(s.begins, s.ends, s.samples.size) for s in got] == [(s.begins, s.ends, s.samples.size) for s in expected]
    for a, b in zip(got, expected, strict=True):
        np.testing.assert_array_equal(a.samples, b.samples)


def test_saturated_samples_do_not_wrap_in_the_detector() -> None:
    detector = WebRtcDetector(2)
    t = np.arange(160) / 16_000
    wave = np.sin(2 * np.pi * 250 * t).astype(np.float32)
    for _ in range(30):
        inside = detector.votes(wave)
    for _ in range(30):
        beyond = detector.votes(wave * np.float32(1.0))
    assert inside == beyond
    assert [type(vote) for vote in detector.votes(wave * np.float32(3.0))] == [bool]


@pytest.mark.data
def test_recordings_open_the_gate_and_its_span_is_what_streaming_passes(speech_data: Path) -> None:
    for path in sorted((speech_data / "ravdess" / "Actor_02").glob("*.flac"))[::10]:
        samples, _ = soundfile.read(path, dtype="float32")
        samples = np.concatenate([samples, np.zeros(16_000, np.float32)])
        segments = Gate(SPEC, WebRtcDetector(SPEC.aggressiveness)).process(samples)
        assert segments, path
        first, last = speech_span(samples, SPEC)
        heard = np.concatenate([s.samples for s in segments])
        assert 0.5 < heard.size / 16_000 < samples.size / 16_000
        if sum(s.begins for s in segments) == 1:
            np.testing.assert_array_equal(samples[first:last], heard)
        else:
            assert last - first >= heard.size


@pytest.mark.data
def test_speech_passes_the_same_in_any_blocks(speech_data: Path) -> None:
    path = sorted((speech_data / "ravdess" / "Actor_03").glob("*.flac"))[7]
    samples, _ = soundfile.read(path, dtype="float32")
    whole = Gate(SPEC, WebRtcDetector(2)).process(samples)
    for block in (7, 160, 1024):
        cuts = list(range(block, samples.size, block))
        same_segments(passed(Gate(SPEC, WebRtcDetector(2)), samples, cuts), whole)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"aggressiveness": 4}, "aggressiveness is 4, limit is the whole numbers 0..3"),
        ({"open_frames": 0}, "open_frames is 0"),
        ({"open_frames": 9}, "open_frames is 9, limit is open_within_frames = 8"),
        ({"hangover_ms": 505}, "hangover_ms is 505, it must be a multiple of 10"),
        ({"preroll_ms": 0.2}, "preroll_ms is 0.2"),
        ({"hangover_ms": "500"}, "hangover_ms is '500'"),
        ({"pause_ms": 400}, "pause_ms is 400, limit is at least hangover_ms = 500"),
    ],
)
def test_gates_that_cannot_be(change: dict[str, object], text: str) -> None:
    with pytest.raises(FrontEndError, match=text):
        GateSpec(**change)  # type: ignore[arg-type]
