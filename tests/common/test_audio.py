"""Recordings block by block and as a whole: the same sound, the same checks, the same words."""

import io
import os
import threading
import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from overtone_common.audio import (
    SAMPLE_RATE_HZ,
    check,
    decode,
    info,
    load,
    read_blocks,
    read_pieces,
    resample,
    wav_bytes,
    write_flac,
)


class SoundError(Exception):
    """The caller's own error."""


def noise(samples: int, channels: int = 1) -> np.ndarray:
    return np.random.default_rng(samples).uniform(-0.5, 0.5, (samples, channels)).astype(np.float32)


def blocks(path: Path, block_ms: int = 100) -> np.ndarray:
    return np.concatenate(list(read_blocks(path, block_ms, error=SoundError)))


def pieces(path: Path) -> np.ndarray:
    return np.concatenate([piece for piece, _ in read_pieces(path, 0.3, error=SoundError)])


def whole(path: Path) -> np.ndarray:
    return load(path, error=SoundError, max_duration_s=60.0)


READERS = (blocks, pieces, whole)


@pytest.mark.parametrize("block_ms", [1, 33, 1000])
def test_blocks_are_the_whole_at_16_khz(tmp_path: Path, block_ms: int) -> None:
    soundfile.write(tmp_path / "a.wav", noise(20_000, 2), SAMPLE_RATE_HZ, subtype="FLOAT")
    assert np.array_equal(blocks(tmp_path / "a.wav", block_ms), whole(tmp_path / "a.wav"))
    assert np.array_equal(pieces(tmp_path / "a.wav"), whole(tmp_path / "a.wav"))


def test_resampled_blocks_are_the_resampled_whole(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", noise(44_100), 44_100, subtype="FLOAT")
    streamed, at_once = blocks(tmp_path / "a.wav"), whole(tmp_path / "a.wav")
    assert abs(streamed.size - at_once.size) <= 1
    size = min(streamed.size, at_once.size)
    np.testing.assert_allclose(streamed[:size], at_once[:size], atol=1e-5)


def damaged(folder: Path) -> dict[str, Path]:
    """Return a file for each thing that can be wrong, by the words that say so."""
    soundfile.write(folder / "slow.wav", np.zeros(100), 1_000)
    soundfile.write(folder / "wide.wav", np.zeros((100, 33)), SAMPLE_RATE_HZ)
    soundfile.write(folder / "none.wav", np.zeros(0), SAMPLE_RATE_HZ)
    samples = noise(20_000)
    samples[12_345] = np.nan
    soundfile.write(folder / "nan.wav", samples, SAMPLE_RATE_HZ, subtype="FLOAT")
    soundfile.write(folder / "flac.flac", noise(48_000), SAMPLE_RATE_HZ)
    data = (folder / "flac.flac").read_bytes()
    (folder / "cut.flac").write_bytes(data[: len(data) // 2])
    (folder / "empty.wav").write_bytes(b"")
    (folder / "text.wav").write_text("no sound " * 100)
    return {
        "No such file or directory": folder / "absent.wav",
        "a folder, not a recording": folder,
        "the file is empty (0 bytes)": folder / "empty.wav",
        "not a recording that can be read: ": folder / "text.wav",
        "sample rate is 1000 Hz, limits are 4000 and 384000 Hz": folder / "slow.wav",
        "33 channels, limit is 32": folder / "wide.wav",
        "no sound in it (0 samples)": folder / "none.wav",
        "sample 12345 is not a finite number (nan)": folder / "nan.wav",
        "": folder / "cut.flac",
    }


@pytest.mark.parametrize("read", READERS)
def test_every_reader_refuses_with_the_same_words(tmp_path: Path, read: Callable[[Path], np.ndarray]) -> None:
    for words, path in damaged(tmp_path).items():
        with pytest.raises(SoundError) as caught:
            read(path)
        text = str(caught.value)
        assert text.startswith(f"{path}: {words}") and "\n" not in text


def test_a_long_recording_is_refused_from_its_header(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.zeros(SAMPLE_RATE_HZ), SAMPLE_RATE_HZ)
    for refused in (check, decode, load):
        with pytest.raises(SoundError, match=r"a\.wav: lasts 1\.0 s, limit is 0\.5 s"):
            refused(path, error=SoundError, max_duration_s=0.5)
    assert info(path, error=SoundError).duration_s == 1.0


def test_a_pipe_is_read_in_blocks_and_refused_as_a_whole(tmp_path: Path) -> None:
    pipe, samples = tmp_path / "pipe", noise(5_000)[:, 0]
    os.mkfifo(pipe)
    with pytest.raises(SoundError, match="pipe: not a file"):
        whole(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(wav_bytes(samples)))
    writer.start()
    read = blocks(pipe)
    writer.join()
    np.testing.assert_allclose(read, samples, atol=1e-4)


def test_what_is_written_saturates_and_comes_back(tmp_path: Path) -> None:
    samples = np.array([0.0, 0.5, -0.5, 2.0, -2.0], np.float32)
    with wave.open(io.BytesIO(wav_bytes(samples))) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (SAMPLE_RATE_HZ, 1, 2)
        assert np.frombuffer(file.readframes(5), "<i2").tolist() == [0, 16384, -16384, 32767, -32768]
    write_flac(tmp_path / "a.flac", samples, error=SoundError)
    np.testing.assert_allclose(whole(tmp_path / "a.flac"), np.clip(samples, -1, 1), atol=1e-4)
    with pytest.raises(SoundError, match=r"no/a\.flac: cannot be written: "):
        write_flac(tmp_path / "no" / "a.flac", samples, error=SoundError)


def test_equal_rates_need_no_resampling() -> None:
    samples = noise(100)[:, 0]
    assert resample(samples, 8_000, 8_000) is samples
    assert resample(samples, 8_000, 16_000).size == 200
