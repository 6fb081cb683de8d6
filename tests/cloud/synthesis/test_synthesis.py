"""The synthetic voice: deterministic, in range, other for other speakers and emotions, heard by the gate."""

import csv
import wave
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overtone_cloud.synthesis import (
    EMOTION_STYLES,
    SAMPLE_RATE_HZ,
    SynthesisError,
    Voice,
    golden_clip,
    synthesise,
    write_corpus,
)
from overtone_models.gate import GateSpec, speech_span
from overtone_models.labels import EMOTIONS


def utterances(voice: Voice, emotion: str, count: int = 3) -> list[np.ndarray]:
    return [synthesise(voice, emotion, 1.5, np.random.default_rng(seed)) for seed in range(count)]


def pitch_hz(samples: np.ndarray) -> float:
    """Return the median pitch of the louder half of the frames: the lag of the highest autocorrelation, 60..600 Hz."""
    frames = np.lib.stride_tricks.sliding_window_view(samples, 1024)[::256]
    loud = frames[frames.std(1) >= np.median(frames.std(1))]
    spectra = np.fft.rfft((loud - loud.mean(1, keepdims=True)) * np.hanning(1024), 2048)
    correlations = np.fft.irfft(np.square(np.abs(spectra)))
    shortest, longest = SAMPLE_RATE_HZ // 600, SAMPLE_RATE_HZ // 60
    lags = shortest + correlations[:, shortest:longest].argmax(1)
    return float(np.median(SAMPLE_RATE_HZ / lags))


def typical(voice: Voice, emotion: str) -> tuple[float, float]:
    """Return mean pitch in Hz and RMS over some utterances."""
    clips = utterances(voice, emotion)
    pitch = np.mean([pitch_hz(clip) for clip in clips])
    return float(pitch), float(np.sqrt(np.mean(np.square(np.concatenate(clips)))))


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    emotion=st.sampled_from(sorted(EMOTION_STYLES)),
    seconds=st.floats(0.3, 4.0),
)
def test_any_voice_gives_finite_samples_in_range_of_the_wanted_length(seed: int, emotion: str, seconds: float):
    samples = synthesise(Voice.of(seed), emotion, seconds, np.random.default_rng(seed))
    assert samples.dtype == np.float32 and samples.shape == (round(seconds * SAMPLE_RATE_HZ),)
    assert np.isfinite(samples).all()
    assert 0.01 < np.abs(samples).max() < 1.0


def test_the_same_seed_says_the_same_and_another_does_not():
    one, again, other = (synthesise(Voice.of(3), "happy", 1.0, np.random.default_rng(s)) for s in (1, 1, 2))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)
    assert Voice.of(3) == Voice.of(3) != Voice.of(5)


def test_emotions_are_labels_of_the_project():
    assert set(EMOTION_STYLES) <= set(EMOTIONS)


def test_pitch_and_energy_follow_the_emotion_in_most_voices():
    """Each speaker has habits, so the directions hold on average, against the speaker's own neutral."""
    voices = [Voice.of(seed) for seed in range(10, 14)]
    levels = {e: np.log2([typical(v, e) for v in voices]) for e in ("neutral", "angry", "fearful", "sad")}
    pitch, energy = {}, {}
    for emotion, level in levels.items():
        pitch[emotion], energy[emotion] = np.median(level - levels["neutral"], axis=0)
    assert pitch["angry"] > 0.1
    assert pitch["fearful"] > 0.2
    assert pitch["sad"] < pitch["angry"]
    assert energy["sad"] < -0.3 < 0.5 < energy["angry"]


def test_low_and_high_voices_differ_in_pitch():
    low = [typical(Voice.of(seed), "neutral")[0] for seed in (0, 2, 4)]
    high = [typical(Voice.of(seed), "neutral")[0] for seed in (1, 3, 5)]
    assert max(low) < min(high)


def test_the_gate_opens_for_most_of_every_utterance():
    for seed in range(4):
        for emotion in EMOTION_STYLES:
            samples = synthesise(Voice.of(seed), emotion, 2.0, np.random.default_rng(seed))
            first, last = speech_span(samples, GateSpec())
            assert last - first > 0.7 * samples.size, (seed, emotion)


def test_the_golden_clip_is_two_seconds_of_speech_and_never_changes():
    clip = golden_clip()
    assert clip.dtype == np.float32 and clip.size == 2 * SAMPLE_RATE_HZ
    assert np.array_equal(clip, golden_clip())
    first, last = speech_span(clip, GateSpec())
    assert last - first > 0.8 * clip.size
    neutral, angry = np.split(clip, 2)
    assert np.square(angry).mean() > np.square(neutral).mean()


def test_a_corpus_has_a_folder_per_speaker_and_a_manifest(tmp_path: Path):
    seen: list[tuple[int, int]] = []
    manifest = write_corpus(tmp_path, 3, ("neutral", "angry"), 2, 5, progress=lambda n, of: seen.append((n, of)))
    rows = list(csv.DictReader(manifest.read_text(encoding="utf-8").splitlines()))
    assert seen == [(n, 12) for n in range(1, 13)]
    assert list(rows[0]) == ["path", "speaker", "label", "sentence", "session"]
    assert rows[3] == {
        "path": "spk01/angry_02.wav",
        "speaker": "spk01",
        "label": "angry",
        "sentence": "s02",
        "session": "1",
    }
    assert [row["session"] for row in rows[::4]] == ["1", "1", "2"]
    assert {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.wav")} == {r["path"] for r in rows}
    with wave.open(str(tmp_path / rows[0]["path"])) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, SAMPLE_RATE_HZ)
        assert 1.4 <= file.getnframes() / SAMPLE_RATE_HZ <= 2.6


def test_a_corpus_is_the_same_again_and_other_for_another_seed(tmp_path: Path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        write_corpus(tmp_path / name, 1, ("sad",), 1, seed)
    a, b, c = ((tmp_path / name / "spk01" / "sad_01.wav").read_bytes() for name in "abc")
    assert a == b != c


def test_requests_that_cannot_be_met_are_named(tmp_path: Path):
    rng = np.random.default_rng(0)
    with pytest.raises(SynthesisError, match="cannot speak 'hungry': it has styles for neutral"):
        synthesise(Voice.of(0), "hungry", 1.0, rng)
    with pytest.raises(SynthesisError, match=r"seconds is 0\.1, limits are 0\.3 and 60"):
        synthesise(Voice.of(0), "happy", 0.1, rng)
    with pytest.raises(SynthesisError, match="speaker seed is -1"):
        Voice.of(-1)
    with pytest.raises(SynthesisError, match="cannot speak 'hungry': it has styles for neutral"):
        write_corpus(tmp_path, 1, ("hungry",), 1, 0)
    with pytest.raises(SynthesisError, match="cannot speak 'bored'"):
        write_corpus(tmp_path, 1, ("happy", "bored"), 1, 0)
    with pytest.raises(SynthesisError, match="no emotions to speak"):
        write_corpus(tmp_path, 1, (), 1, 0)
    with pytest.raises(SynthesisError, match="speakers is 0"):
        write_corpus(tmp_path, 0, ("happy",), 1, 0)
    assert list(tmp_path.iterdir()) == []
