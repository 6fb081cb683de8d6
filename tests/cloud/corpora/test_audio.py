"""Reading recordings: every container, rate and channel count; what is refused, and why."""

import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from overtone_cloud.corpora import audio
from overtone_cloud.errors import AudioError
from overtone_common.audio import BLOCK_FRAMES, AudioInfo

SECONDS = 0.25


def tone(rate_hz: int, frequency_hz: float = 440.0, seconds: float = SECONDS) -> np.ndarray:
    times = np.arange(int(rate_hz * seconds)) / rate_hz
    return (0.5 * np.sin(2 * np.pi * frequency_hz * times)).astype(np.float32)


@pytest.mark.parametrize(
    ("container", "subtype"),
    [
        ("WAV", "PCM_16"),
        ("WAV", "PCM_24"),
        ("WAV", "FLOAT"),
        ("WAV", "DOUBLE"),
        ("FLAC", "PCM_16"),
        ("FLAC", "PCM_24"),
        ("OGG", "VORBIS"),
        ("AIFF", "PCM_16"),
        ("WAVEX", "PCM_24"),
    ],
)
@pytest.mark.parametrize("ending", [".wav", ".flac", ".ogg", ".aiff", ".raw", ".bin"])
def test_content_decides_not_the_ending(tmp_path: Path, container: str, subtype: str, ending: str) -> None:
    path = tmp_path / f"a{ending}"
    original = tmp_path / "original"
    soundfile.write(original, tone(16_000), 16_000, format=container, subtype=subtype)
    original.rename(path)
    samples = audio.load(path)
    assert samples.dtype == np.float32
    assert samples.shape == (4000,)
    # Vorbis is lossy; the others keep at least 16 bits.
    assert np.abs(samples - tone(16_000)).max() < (0.1 if subtype == "VORBIS" else 1e-4)


@pytest.mark.parametrize("rate_hz", [8_000, 11_025, 22_050, 24_414, 44_100, 48_000, 96_000])
def test_any_rate_becomes_16_khz(tmp_path: Path, rate_hz: int) -> None:
    soundfile.write(tmp_path / "a.wav", tone(rate_hz), rate_hz, subtype="FLOAT")
    samples = audio.load(tmp_path / "a.wav")
    assert abs(samples.size - 4000) <= 2
    middle = slice(400, 3600)
    assert np.abs(samples[middle] - tone(16_000)[middle]).max() < 2e-3


def test_sound_above_8_khz_does_not_fold_down(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", tone(48_000, frequency_hz=12_000), 48_000)
    assert np.abs(audio.load(tmp_path / "a.wav")[400:3600]).max() < 1e-3


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(channels=st.integers(1, 4), seed=st.integers(0, 99))
def test_channels_are_averaged(tmp_path: Path, channels: int, seed: int) -> None:
    values = np.random.default_rng(seed).uniform(-1, 1, (3000, channels)).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", values, 16_000, subtype="FLOAT")
    assert np.allclose(audio.load(tmp_path / "a.wav"), values.mean(axis=1), atol=1e-6)


def test_long_files_are_read_whole(tmp_path: Path) -> None:
    samples = np.linspace(-1, 1, 3 * BLOCK_FRAMES + 17, dtype=np.float32)
    soundfile.write(tmp_path / "a.wav", samples, 16_000, subtype="FLOAT")
    assert np.array_equal(audio.load(tmp_path / "a.wav"), samples)


def test_info_tells_without_decoding(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.flac", np.zeros((4410, 2)), 44_100, subtype="PCM_24")
    info = audio.info(tmp_path / "a.flac")
    assert info == AudioInfo(duration_s=0.1, sample_rate_hz=44_100, channels=2, container="FLAC", encoding="PCM_24")


def refused(path: Path, **limits: float) -> str:
    with pytest.raises(AudioError) as caught:
        audio.load(path, **limits)
    text = str(caught.value)
    assert "\n" not in text
    assert str(path) in text
    return text


def test_files_that_are_no_sound(tmp_path: Path) -> None:
    (tmp_path / "nothing.wav").write_bytes(b"")
    (tmp_path / "text.wav").write_text("this is not sound\n" * 100)
    soundfile.write(tmp_path / "empty.wav", np.zeros(0, np.float32), 16_000)
    assert "the file is empty (0 bytes)" in refused(tmp_path / "nothing.wav")
    assert "not a recording that can be read" in refused(tmp_path / "text.wav")
    assert "0 samples" in refused(tmp_path / "empty.wav")
    assert "No such file" in refused(tmp_path / "absent.wav")
    assert "a folder, not a recording" in refused(tmp_path)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_samples_that_are_no_numbers(tmp_path: Path, value: float) -> None:
    samples = tone(16_000)
    samples[1234] = value
    soundfile.write(tmp_path / "a.wav", samples, 16_000, subtype="FLOAT")
    assert "sample 1234 is not a finite number" in refused(tmp_path / "a.wav")


def test_too_long_names_both_numbers(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(16_000), 16_000)
    assert "lasts 1.0 s, limit is 0.5 s" in refused(tmp_path / "a.wav", max_duration_s=0.5)
    assert audio.load(tmp_path / "a.wav", max_duration_s=1.0).size == 16_000


def test_three_hours_are_refused_from_the_header(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "long.wav"
    size = 3 * 3600 * 16_000 * 2
    fields = struct.pack("<IHHIIHH", 16, 1, 1, 16_000, 32_000, 2, 16)
    header = b"RIFF" + struct.pack("<I", size + 36) + b"WAVEfmt " + fields
    with path.open("wb") as file:
        file.write(header + b"data" + struct.pack("<I", size))
        file.truncate(44 + size)  # sparse: takes no room on the disk

    def read(*args: object, **kwargs: object) -> None:
        raise AssertionError("sound of a refused file was read")

    monkeypatch.setattr(soundfile.SoundFile, "read", read)
    assert "lasts 10800.0 s, limit is 600 s" in refused(path)


def test_truncated_compressed_file_is_not_silently_shorter(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    soundfile.write(tmp_path / "a.flac", rng.uniform(-0.5, 0.5, 48_000), 16_000)
    data = (tmp_path / "a.flac").read_bytes()
    (tmp_path / "b.flac").write_bytes(data[: len(data) // 2])
    refused(tmp_path / "b.flac")


def test_limits_on_rate_and_channels(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "slow.wav", np.zeros(100), 1_000)
    soundfile.write(tmp_path / "wide.wav", np.zeros((100, 33)), 16_000)
    assert "1000 Hz" in refused(tmp_path / "slow.wav")
    assert "33 channels, limit is 32" in refused(tmp_path / "wide.wav")


@pytest.mark.data
def test_real_quirks(speech_data: Path) -> None:
    aiff = speech_data / "raw" / "tess" / "YAF_fear" / "YAF_neat_fear.wav"
    assert audio.info(aiff).container == "AIFF"
    stereo = speech_data / "raw" / "ravdess" / "Actor_01" / "03-01-02-01-01-02-01.wav"
    assert audio.info(stereo).channels == 2
    for path in sorted((speech_data / "raw").rglob("*.wav")):
        info, samples = audio.info(path), audio.load(path)
        assert abs(samples.size / 16_000 - info.duration_s) < 1e-3
        assert 0.01 < np.abs(samples).max() <= 1.01
