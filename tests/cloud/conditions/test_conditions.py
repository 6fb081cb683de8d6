"""Conditions do what they say, and the same to the same recording."""

from pathlib import Path

import numpy as np
import pytest

from overtone_cloud.conditions.conditions import FarMicrophone, Level, Noise, Telephone, mu_law
from overtone_cloud.conditions.rooms import ROOMS, impulse_response
from overtone_cloud.conditions.sounds import sound_halves
from overtone_cloud.errors import ConfigError
from overtone_models.front_end import F32
from overtone_models.gate import GateSpec, speech_span

RATE_HZ = 16_000


@pytest.fixture(scope="module")
def speech(voices: Path) -> F32:
    """A voice with a second of silence before and after it."""
    from overtone_cloud.corpora import audio

    silence = np.zeros(RATE_HZ, np.float32)
    return np.concatenate([silence, audio.load(voices / "spk01" / "angry_01.wav"), silence])


def tone(hz: float, seconds: float = 1.0) -> F32:
    return (0.5 * np.sin(2 * np.pi * hz * np.arange(round(seconds * RATE_HZ)) / RATE_HZ)).astype(np.float32)


def power(samples: F32) -> float:
    return float(np.mean(samples.astype(np.float64) ** 2))


@pytest.mark.parametrize("snr_db", [10.0, 0.0, 20.0])
def test_the_ratio_of_speech_to_noise_is_the_one_asked_for(speech: F32, sounds: Path, snr_db: float) -> None:
    halves = sound_halves(sounds)
    first, last = speech_span(speech, GateSpec())
    assert (first, last) != (0, 0)
    for path in halves.training + halves.test:
        noisy = Noise(sounds=(path,), snr_db=snr_db).apply(speech)
        added = (noisy - speech)[first:last]
        assert 10 * np.log10(power(speech[first:last]) / power(added)) == pytest.approx(snr_db, abs=0.05), path


def test_noise_lies_under_the_silence_too(speech: F32, sounds: Path) -> None:
    noisy = Noise(sounds=(sounds / "1-1001-A.wav",)).apply(speech)
    assert power(noisy[:RATE_HZ]) > 0
    assert power(noisy[-RATE_HZ:]) > 0


def test_a_recording_meets_the_same_noise_in_every_run(speech: F32, sounds: Path) -> None:
    paths = tuple(sorted(sounds.iterdir()))
    first, again = (Noise(sounds=paths).apply(speech) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    other = Noise(sounds=paths, seed=1).apply(speech)
    assert not np.array_equal(first, other)


def test_silence_stays_as_it_is_in_noise(sounds: Path) -> None:
    silence = np.zeros(RATE_HZ, np.float32)
    np.testing.assert_array_equal(Noise(sounds=(sounds / "1-1001-A.wav",)).apply(silence), silence)


def test_noise_needs_a_sound_and_is_known_by_its_content(sounds: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="at least one sound"):
        Noise(sounds=())
    copy = tmp_path / "copy.wav"
    copy.write_bytes((sounds / "1-1001-A.wav").read_bytes())
    assert Noise(sounds=(copy,)).to_json() == Noise(sounds=(sounds / "1-1001-A.wav",)).to_json()
    assert Noise(sounds=(copy,)).to_json() != Noise(sounds=(sounds / "1-1002-A.wav",)).to_json()


@pytest.mark.parametrize(
    ("hz", "low_db", "high_db"), [(100, -300, -40), (1000, -1, 1), (2500, -1, 1), (6000, -300, -35)]
)
def test_the_telephone_passes_its_band_alone(hz: float, low_db: float, high_db: float) -> None:
    came, went = tone(hz), Telephone().apply(tone(hz))
    assert went.size == came.size
    middle = slice(RATE_HZ // 4, -RATE_HZ // 4)
    spectrum = np.abs(np.fft.rfft(went[middle] * np.hanning(went[middle].size)))
    reference = np.abs(np.fft.rfft(came[middle] * np.hanning(came[middle].size)))
    change_db = 20 * np.log10(spectrum[reference.argmax()] / reference.max() + 1e-12)
    assert low_db <= change_db <= high_db


def test_mu_law_has_at_most_255_values_finer_near_zero() -> None:
    values = np.unique(mu_law(np.linspace(-1.2, 1.2, 100_001).astype(np.float32)))
    assert values.size == 255
    assert values.min() == pytest.approx(-1) and values.max() == pytest.approx(1)
    steps = np.diff(values)
    assert steps[127] < steps[-1] / 100


def test_rooms_are_heard_after_the_first_sound_and_die_away_in_time() -> None:
    for room in ROOMS:
        response = impulse_response(room).astype(np.float64)
        direct = np.sqrt(np.sum(response[:24] ** 2))
        assert 2.0 <= room.distance_m <= 4.0
        assert direct == pytest.approx(1 / room.distance_m, rel=0.2)
        decay_db = 10 * np.log10(np.cumsum(response[::-1] ** 2)[::-1] / np.sum(response**2) + 1e-20)
        first, last = (int(np.argmax(decay_db < level)) for level in (-5, -25))
        rt60_s = 3 * (last - first) / RATE_HZ
        assert rt60_s == pytest.approx(room.rt60_s, rel=0.4)


def test_a_far_microphone_hears_the_echo_at_the_same_level(speech: F32) -> None:
    heard = FarMicrophone().apply(speech)
    assert heard.size > speech.size + RATE_HZ // 4
    assert np.sum(heard.astype(np.float64) ** 2) == pytest.approx(np.sum(speech.astype(np.float64) ** 2), rel=1e-4)
    after = slice(speech.size - RATE_HZ, speech.size - RATE_HZ + RATE_HZ // 10)
    assert power(speech[after]) == 0.0
    assert power(heard[after]) > 1e-4 * power(speech)
    np.testing.assert_array_equal(heard, FarMicrophone().apply(speech))


def test_levels_set_the_peak_and_nothing_else(speech: F32) -> None:
    for peak_db in (-30.0, -1.0):
        levelled = Level(peak_db=peak_db).apply(speech)
        assert 20 * np.log10(np.abs(levelled).max()) == pytest.approx(peak_db, abs=1e-3)
        np.testing.assert_allclose(levelled / levelled.max(), speech / speech.max(), atol=1e-5)
    silence = np.zeros(100, np.float32)
    np.testing.assert_array_equal(Level(peak_db=-1.0).apply(silence), silence)
