"""The front end: librosa's numbers, and the same ones for any cut of the stream."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from overtone_models.errors import FrontEndError
from overtone_models.front_end import (
    FrontEnd,
    FrontEndSpec,
    dct_matrix,
    hz_to_mel,
    log_mel,
    mel_filters,
    mel_to_hz,
    mfcc,
)

SPEC = FrontEndSpec()
RATE_HZ = 16_000


def sweep(seconds: float = 1.3, seed: int = 0) -> np.ndarray:
    """A rising tone with a little noise, float32."""
    t = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    noise = np.random.default_rng(seed).normal(size=t.size)
    return (0.3 * np.sin(2 * np.pi * (200 * t + 900 * t**2)) + 0.01 * noise).astype(np.float32)


def librosa_mfcc(samples: np.ndarray, spec: FrontEndSpec = SPEC) -> np.ndarray:
    """What librosa computes with the same parameters, `(frames, n_mfcc)`; no clipping against the loudest frame."""
    import librosa

    power = librosa.feature.melspectrogram(
        y=samples.astype(np.float64),
        sr=spec.sample_rate_hz,
        n_fft=spec.fft_samples,
        win_length=spec.window_samples,
        hop_length=spec.hop_samples,
        window="hann",
        center=False,
        power=2.0,
        n_mels=spec.n_mels,
        fmin=spec.fmin_hz,
        fmax=spec.fmax_hz,
        htk=False,
        norm="slaney",
    )
    decibels = librosa.power_to_db(power, ref=1.0, amin=spec.floor_power, top_db=None)
    return librosa.feature.mfcc(S=decibels, n_mfcc=spec.n_mfcc, dct_type=2, norm="ortho").T


def streamed(samples: np.ndarray, cuts: list[int]) -> np.ndarray:
    stream = FrontEnd(SPEC)
    parts = [stream.process(part) for part in np.split(samples, cuts)]
    return np.concatenate([*parts, stream.flush()])


@pytest.mark.parametrize(
    "samples",
    [
        sweep(),
        np.random.default_rng(1).normal(scale=0.1, size=20_000).astype(np.float32),
        np.zeros(4_000, np.float32),
        np.full(4_000, 1e-6, np.float32),
        np.sign(np.sin(np.arange(9_000) * 0.05)).astype(np.float32),
    ],
    ids=["sweep", "noise", "digital silence", "tiny constant", "full-scale square"],
)
def test_equal_to_librosa_on_synthetic_signals(samples: np.ndarray) -> None:
    np.testing.assert_allclose(mfcc(samples, SPEC), librosa_mfcc(samples), atol=1e-3, rtol=0)


@pytest.mark.parametrize(
    "spec",
    [
        FrontEndSpec(n_mels=40, n_mfcc=13, fmin_hz=0.0, fmax_hz=8_000.0),
        FrontEndSpec(window_samples=400, fft_samples=512, hop_samples=200),
        FrontEndSpec(window_samples=400, fft_samples=1024, n_mels=80, n_mfcc=80, block_frames=3),
    ],
    ids=["few mels", "window shorter than the FFT", "long FFT"],
)
def test_equal_to_librosa_for_other_specifications(spec: FrontEndSpec) -> None:
    samples = sweep(0.9)
    np.testing.assert_allclose(mfcc(samples, spec), librosa_mfcc(samples, spec), atol=1e-3, rtol=0)


@pytest.mark.data
def test_equal_to_librosa_on_recordings(speech_data: Path) -> None:
    clips = sorted((speech_data / "ravdess" / "Actor_01").glob("*.flac"))[::12]
    clips += sorted((speech_data / "emodb" / "wav").glob("*"))[::120]
    assert len(clips) >= 6
    for path in clips:
        samples, rate_hz = soundfile.read(path, dtype="float32")
        assert rate_hz == RATE_HZ
        np.testing.assert_allclose(mfcc(samples, SPEC), librosa_mfcc(samples), atol=1e-3, rtol=0, err_msg=str(path))


@pytest.mark.parametrize("block", [1, 7, 160, 1024])
def test_any_block_size_gives_the_same_bits(block: int) -> None:
    samples = sweep(0.6)
    whole = mfcc(samples, SPEC)
    np.testing.assert_array_equal(streamed(samples, list(range(block, samples.size, block))), whole)


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_any_cut_gives_the_same_bits(data: st.DataObject) -> None:
    samples = sweep(0.7)[: data.draw(st.integers(0, 11_000))]
    cuts = data.draw(st.lists(st.integers(0, samples.size), max_size=12).map(sorted))
    np.testing.assert_array_equal(streamed(samples, cuts), mfcc(samples, SPEC))


def test_log_mel_times_the_dct_is_the_mfcc() -> None:
    samples = sweep(0.57)
    decibels = log_mel(samples, SPEC)
    assert decibels.dtype == np.float32
    np.testing.assert_allclose(decibels @ dct_matrix(SPEC), mfcc(samples, SPEC), atol=1e-4, rtol=0)
    assert len(decibels) == SPEC.frames(samples.size)


@pytest.mark.parametrize("size", [0, 1, 511])
def test_clip_shorter_than_one_window_has_no_frame(size: int) -> None:
    clip = np.zeros(size, np.float32)
    assert mfcc(clip, SPEC).shape == (0, SPEC.n_mfcc)
    assert log_mel(clip, SPEC).shape == (0, SPEC.n_mels)
    assert SPEC.frames(size) == 0


@given(st.integers(512, 20_000))
def test_number_of_frames(size: int) -> None:
    assert SPEC.frames(size) == len(np.lib.stride_tricks.sliding_window_view(np.empty(size), 512)[::160])


def test_features_are_float32_and_finite_without_a_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for value in (0.0, 1e4, 1e14):
            found = mfcc(np.full(3_000, value, np.float32), SPEC)
            assert found.dtype == np.float32
            assert np.isfinite(found).all()


def test_long_recordings_go_through_in_parts_with_the_same_bits() -> None:
    samples = np.tile(sweep(1.0), 4)
    np.testing.assert_array_equal(streamed(samples, [1_600, 40_000]), mfcc(samples, SPEC))
    np.testing.assert_array_equal(log_mel(samples, SPEC)[:90], log_mel(samples[:16_000], SPEC)[:90])


def test_reset_forgets_and_flush_resets() -> None:
    stream, samples = FrontEnd(SPEC), sweep(0.5)
    stream.process(samples[:1_111])
    stream.reset()
    first = np.concatenate([stream.process(samples), stream.flush()])
    second = np.concatenate([stream.process(samples), stream.flush()])
    np.testing.assert_array_equal(first, mfcc(samples, SPEC))
    np.testing.assert_array_equal(second, first)


def test_the_callers_samples_may_change_afterwards() -> None:
    stream, samples = FrontEnd(SPEC), sweep(0.5)
    expected = mfcc(samples, SPEC)
    found = []
    for start in range(0, samples.size, 100):
        block = samples[start : start + 100].copy()
        found.append(stream.process(block))
        block[:] = 7.0
    np.testing.assert_array_equal(np.concatenate([*found, stream.flush()]), expected)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_samples_that_are_not_numbers_are_refused_by_place(value: float) -> None:
    samples = np.zeros(1_000, np.float32)
    samples[321] = value
    for take in (FrontEnd(SPEC).process, lambda s: log_mel(s, SPEC)):
        with pytest.raises(FrontEndError, match="sample 321 is not a finite number"):
            take(samples)


@pytest.mark.parametrize("samples", [np.zeros(600), np.zeros((2, 600), np.float32), np.zeros(600, np.int16)])
def test_samples_of_another_kind_are_refused(samples: np.ndarray) -> None:
    with pytest.raises(FrontEndError, match="one float32 channel"):
        FrontEnd(SPEC).process(samples)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"hop_samples": 0}, "hop_samples"),
        ({"hop_samples": 600}, "hop_samples"),
        ({"fft_samples": 256}, "fft_samples"),
        ({"n_mfcc": 65}, "n_mfcc is 65, limit is n_mels = 64"),
        ({"n_mfcc": 0}, "n_mfcc"),
        ({"fmax_hz": 9_000.0}, "fmax_hz 9000"),
        ({"fmin_hz": 7_600.0}, "fmin_hz 7600"),
        ({"fmin_hz": float("nan")}, "fmin_hz nan"),
        ({"block_frames": 0}, "block_frames"),
        ({"floor_power": 0.0}, "floor_power"),
        ({"floor_power": float("nan")}, "floor_power"),
        ({"floor_power": float("inf")}, "floor_power"),
        ({"n_mels": 64.0}, "n_mels is 64.0, it must be a whole number"),
        ({"hop_samples": "160"}, "hop_samples is '160'"),
        ({"hop_samples": True}, "hop_samples is True"),
        ({"fmin_hz": None}, "fmin_hz is None, it must be a number"),
    ],
)
def test_specifications_that_cannot_be(change: dict[str, object], text: str) -> None:
    with pytest.raises(FrontEndError, match=text):
        FrontEndSpec(**change)  # type: ignore[arg-type]


def test_filters_that_fall_between_the_bins_are_refused() -> None:
    with pytest.raises(FrontEndError, match=r"n_mels is 200: filter \d+ falls between the FFT's bins"):
        mel_filters(FrontEndSpec(n_mels=200))


def test_digest_is_of_the_values_and_of_nothing_else() -> None:
    assert FrontEndSpec().digest == SPEC.digest
    assert FrontEndSpec(fmin_hz=20).digest == SPEC.digest
    others = [FrontEndSpec(n_mels=63), FrontEndSpec(fmin_hz=21.0), FrontEndSpec(block_frames=5)]
    assert len({SPEC.digest, *(spec.digest for spec in others)}) == 4


def test_mel_scale_is_its_inverses_inverse() -> None:
    hz = np.linspace(0.0, 8_000.0, 333)
    np.testing.assert_allclose(mel_to_hz(hz_to_mel(hz)), hz, atol=1e-9)
    assert (np.diff(hz_to_mel(hz)) > 0).all()


def test_dct_is_orthonormal() -> None:
    matrix = dct_matrix(FrontEndSpec(n_mels=64, n_mfcc=64))
    np.testing.assert_allclose(matrix.T @ matrix, np.eye(64), atol=1e-5)
