"""The 34 short-term features: against pyAudioAnalysis, and where they differ from it on purpose."""

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile

from overtone_models.errors import FrontEndError
from overtone_models.features.short_term import NAMES, ShortTermSpec

REPOSITORY = Path(__file__).resolve().parents[3]
PYTHON = REPOSITORY / ".venv-reference" / "bin" / "python"
SCRIPT = Path(__file__).with_name("reference_short_term.py")
needs_reference = pytest.mark.skipif(not PYTHON.exists(), reason="no .venv-reference with pyAudioAnalysis")

MFCC = slice(8, 21)
CHROMA = slice(21, 33)


def reference(clips: dict[str, np.ndarray], folder: Path) -> dict[str, np.ndarray]:
    """Return what pyAudioAnalysis gives for each clip."""
    np.savez(folder / "in.npz", **clips)
    environment = {**os.environ, "MPLBACKEND": "Agg", "PYTHONDONTWRITEBYTECODE": "1"}
    with (folder / "log.txt").open("w+") as log:
        done = subprocess.run(
            [PYTHON, SCRIPT, folder / "in.npz", folder / "out.npz"],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            timeout=240,
            check=False,
        )
        log.seek(0)
        assert done.returncode == 0, log.read()
    with np.load(folder / "out.npz") as stored:
        return dict(stored)


def check_against_reference(clips: dict[str, np.ndarray], folder: Path) -> None:
    found = reference(clips, folder)
    for name, samples in clips.items():
        expected, true_filters = found[name], found[f"{name}/true-filters"]
        ours, published = ShortTermSpec().compute(samples), ShortTermSpec(as_published=True).compute(samples)
        count = len(expected)
        for place, feature in enumerate(NAMES[:8]):
            np.testing.assert_allclose(ours[:count, place], expected[:, place], rtol=1e-4, atol=1e-6, err_msg=feature)
        np.testing.assert_allclose(ours[:count, MFCC], true_filters[:, MFCC], rtol=1e-5, atol=1e-4)
        np.testing.assert_allclose(published[:count, :21], expected[:, :21], rtol=1e-4, atol=1e-4)
        assert not published[:, 21:].any() and not ours[count:].any()


@needs_reference
def test_equal_to_pyaudioanalysis_on_a_voice(voice: np.ndarray, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    clips = {
        "voice": voice,
        "noise with an offset": (0.3 + 0.1 * rng.normal(size=20_000)).astype(np.float32),
        "voice in digital silence": np.pad(voice[:9000], (8000, 8000)),
        "one window": voice[4000:7200],
    }
    check_against_reference(clips, tmp_path)


@needs_reference
@pytest.mark.data
def test_equal_to_pyaudioanalysis_on_ravdess(speech_data: Path, tmp_path: Path) -> None:
    paths = sorted((speech_data / "ravdess").rglob("*.flac"))[::150]
    assert len(paths) >= 5
    check_against_reference({path.stem: soundfile.read(path, dtype="float32")[0] for path in paths}, tmp_path)


def test_rows_are_cut_or_padded_at_the_end(voice: np.ndarray) -> None:
    long = np.tile(voice, 5)
    rows = ShortTermSpec().compute(voice)
    assert rows.shape == ShortTermSpec().shape == (100, 34) and rows.dtype == np.float32
    assert rows[:29].any(axis=1).all() and not rows[29:].any()
    assert ShortTermSpec().compute(long)[-1].any()
    assert np.array_equal(ShortTermSpec(windows=40).compute(long), ShortTermSpec().compute(long)[:40])


def test_level_and_offset_change_nothing(voice: np.ndarray) -> None:
    rows = ShortTermSpec().compute(voice)
    np.testing.assert_allclose(ShortTermSpec().compute(0.25 * voice + np.float32(0.1)), rows, rtol=1e-3, atol=2e-3)


@pytest.mark.parametrize(("hertz", "note"), [(440.0, 0), (220.0, 0), (261.63, 3), (880.0, 0), (493.88, 2), (415.3, 11)])
def test_chroma_names_the_note(hertz: float, note: int) -> None:
    tone = np.sin(2 * np.pi * hertz * np.arange(16_000) / 16_000).astype(np.float32)
    chroma = ShortTermSpec().compute(tone)[:9, CHROMA]
    assert (chroma.argmax(axis=1) == note).all()
    assert NAMES[21 + note] == f"chroma_{('A', 'A#', 'B', 'C', 'C#', 'D', 'D#', 'E', 'F', 'F#', 'G', 'G#')[note]}"


def test_chroma_is_the_mean_power_of_each_semitone_summed_over_octaves(voice: np.ndarray) -> None:
    samples = voice[4000:7200].astype(np.float64)
    normalised = samples - samples.mean()
    power = np.square(np.abs(np.fft.rfft(normalised / np.abs(normalised).max()))[:1600])
    semitones: dict[int, list[float]] = {}
    for place in range(1, 1600):
        semitones.setdefault(round(12 * np.log2(place * 5.0 / 27.5)), []).append(power[place])
    expected = np.zeros(12)
    for semitone, powers in semitones.items():
        if semitone >= 0:
            expected[semitone % 12] += np.mean(powers) / power.sum()
    row = ShortTermSpec().compute(voice[4000:7200])[0]
    np.testing.assert_allclose(row[CHROMA], expected, rtol=1e-4, atol=1e-8)
    np.testing.assert_allclose(row[33], expected.std(), rtol=1e-4)


def test_the_published_filter_bank_takes_a_tone_for_its_octave() -> None:
    time = np.arange(16_000) / 16_000
    low, high = (np.sin(2 * np.pi * hertz * time).astype(np.float32) for hertz in (1000.0, 2000.0))
    shape = slice(9, 21)  # Without the first coefficient, which is the level.
    right = ShortTermSpec().compute(high)[4, shape]
    published = ShortTermSpec(as_published=True).compute(low)[4, shape]
    assert np.abs(published - right).max() < 0.1 * np.abs(ShortTermSpec().compute(low)[4, shape] - right).max()


def test_silence_is_finite() -> None:
    assert np.isfinite(ShortTermSpec().compute(np.zeros(16_000, np.float32))).all()


@pytest.mark.parametrize(
    ("samples", "words"),
    [
        (np.zeros(3199, np.float32), "3199 samples are shorter than one window of 3200"),
        (np.zeros(0, np.float32), "no samples"),
        (np.zeros(4000), "float64"),
        (np.full(4000, np.nan, np.float32), "sample 0 is not a finite number"),
    ],
)
def test_samples_it_cannot_take(samples: np.ndarray, words: str) -> None:
    with pytest.raises(FrontEndError, match=words):
        ShortTermSpec().compute(samples)


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"windows": 0}, "windows is 0, limits are 1 and 10000"),
        ({"window_samples": 3201}, "window_samples is 3201, it must be even"),
        ({"step_samples": 3201}, "step_samples is 3201, limits are 1 and window_samples = 3200"),
        ({"sample_rate_hz": 8000}, "the filters reach up to 6854 Hz"),
        ({"as_published": 1}, "as_published is 1, it must be true or false"),
        ({"windows": 2.5}, "windows is 2.5, it must be a whole number"),
    ],
)
def test_specifications_that_cannot_be(parameters: dict[str, object], words: str) -> None:
    with pytest.raises(FrontEndError, match=words):
        ShortTermSpec(**parameters)
