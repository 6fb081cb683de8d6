"""Recordings of any kind and commands, as blocks of 16 kHz mono."""

import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from overtone_edge.core.config import SourceConfig
from overtone_edge.core.errors import SourceError
from overtone_edge.hearing.audio import read_recording
from overtone_edge.hearing.sources import CommandSource, FileSource


def tone(rate_hz: int, seconds: float = 1.0) -> np.ndarray:
    return (0.3 * np.sin(2 * np.pi * 440 * np.arange(int(rate_hz * seconds)) / rate_hz)).astype(np.float32)


def heard(source) -> np.ndarray:
    return np.concatenate(list(source.blocks()))


@pytest.mark.parametrize(
    ("name", "form", "subtype", "rate_hz", "channels"),
    [
        ("a.wav", "WAV", "PCM_16", 16_000, 1),
        ("a.wav", "AIFF", "PCM_24", 96_000, 1),
        ("a.aif", "WAV", "FLOAT", 48_000, 2),
        ("a.raw", "FLAC", "PCM_16", 44_100, 2),
        ("a.dat", "OGG", "VORBIS", 24_000, 1),
    ],
)
def test_content_is_what_counts_not_the_ending(tmp_path, name, form, subtype, rate_hz, channels) -> None:
    samples = np.stack([tone(rate_hz)] * channels, axis=1)
    path = tmp_path / name
    with path.open("w+b") as file:
        soundfile.write(file, samples, rate_hz, format=form, subtype=subtype)
    got = heard(FileSource(path, paced=False))
    assert got.dtype == np.float32
    assert abs(got.size - 16_000) <= 2
    inner = slice(2_000, 14_000)
    assert np.abs(got[inner] - tone(16_000)[inner]).max() < 0.02


@pytest.mark.parametrize("block_ms", [10, 33, 1000])
def test_resampling_does_not_depend_on_the_blocks(tmp_path, block_ms) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, tone(44_100), 44_100, subtype="FLOAT")
    got = heard(FileSource(path, paced=False, block_ms=block_ms))
    assert np.array_equal(got, heard(FileSource(path, paced=False)))


def test_a_paced_file_waits_for_its_samples(tmp_path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, tone(16_000), 16_000)
    now = [0.0]
    source = FileSource(path, now=lambda: now[0])
    waits: list[float] = []
    source._closed.wait = waits.append  # type: ignore[method-assign,assignment]
    assert len(list(source.blocks())) == 10
    assert waits[:10] == pytest.approx([0.1 * n for n in range(1, 11)])


def test_a_closed_file_ends(tmp_path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, tone(16_000, 3.0), 16_000)
    source = FileSource(path, paced=False)
    blocks = source.blocks()
    next(blocks)
    source.close()
    assert list(blocks) == []


@pytest.mark.parametrize(
    ("content", "expected"),
    [(b"", "empty"), (b"this is no sound at all" * 9, "not a recording that can be read"), (None, "No such file")],
)
def test_files_that_cannot_be_read(tmp_path, content, expected) -> None:
    path = tmp_path / "a.wav"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SourceError, match=expected) as error:
        heard(FileSource(path, paced=False))
    assert str(path) in str(error.value)


def test_a_folder_is_called_one(tmp_path) -> None:
    with pytest.raises(SourceError, match="a folder, not a recording"):
        heard(FileSource(tmp_path, paced=False))


def test_a_path_that_cannot_be_looked_at_is_named(tmp_path) -> None:
    with pytest.raises(SourceError, match="File name too long"):
        heard(FileSource(tmp_path / ("a" * 300) / "a.wav", paced=False))


def test_samples_that_are_no_numbers_are_named(tmp_path) -> None:
    samples = tone(16_000)
    samples[5_000] = np.nan
    soundfile.write(tmp_path / "a.wav", samples, 16_000, subtype="FLOAT")
    with pytest.raises(SourceError, match="sample 5000 is not a finite number"):
        heard(FileSource(tmp_path / "a.wav", paced=False))


def test_a_clip_shorter_than_one_window_is_an_error(tmp_path) -> None:
    soundfile.write(tmp_path / "a.wav", tone(16_000)[:300], 16_000)
    with pytest.raises(SourceError, match="300 samples at 16 kHz, shorter than one window"):
        heard(FileSource(tmp_path / "a.wav", paced=False))


def test_a_recording_to_label_has_a_longest_length(tmp_path) -> None:
    soundfile.write(tmp_path / "a.flac", tone(16_000, 3.0), 16_000)
    with pytest.raises(SourceError, match="longer than 2 s"):
        read_recording(tmp_path / "a.flac", max_s=2.0)


def python(code: str) -> tuple[str, ...]:
    return (sys.executable, "-c", code)


def test_a_command_writes_stereo_at_another_rate() -> None:
    code = (
        "import sys, array, math\n"
        "v = [int(9830*math.sin(2*math.pi*440*i/48000)) for i in range(48000) for _ in range(2)]\n"
        "sys.stdout.buffer.write(array.array('h', v).tobytes())"
    )
    got = heard(CommandSource(SourceConfig(kind="command", command=python(code), rate_hz=48_000, channels=2)))
    assert abs(got.size - 16_000) <= 2
    assert np.abs(got[2_000:14_000] - tone(16_000)[2_000:14_000]).max() < 0.02


def test_a_command_that_fails_says_why() -> None:
    source = CommandSource(SourceConfig(kind="command", command=python("raise SystemExit('no such card')")))
    with pytest.raises(SourceError, match=r"failed \(1\): no such card"):
        heard(source)


def test_a_command_may_complain_without_end() -> None:
    code = "import sys\nfor n in range(200_000): print(f'complaint {n:06}', file=sys.stderr)\nsys.exit(3)"
    source = CommandSource(SourceConfig(kind="command", command=python(code)))
    with pytest.raises(SourceError, match=r"failed \(3\): complaint 199999"):
        heard(source)


def test_a_command_needs_no_room_on_the_disk(monkeypatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/nowhere")
    test_a_command_that_fails_says_why()


def test_a_command_that_does_not_exist() -> None:
    with pytest.raises(SourceError, match="No such file"):
        heard(CommandSource(SourceConfig(kind="command", command=("/nowhere/arecord",))))


def test_an_endless_command_is_ended() -> None:
    code = "import sys\nwhile True: sys.stdout.buffer.write(bytes(3200))"
    source = CommandSource(SourceConfig(kind="command", command=python(code)))
    blocks = source.blocks()
    next(blocks)
    process = source._process
    source.close()
    list(blocks)
    assert process is not None and process.poll() is not None


@pytest.mark.data
def test_the_corpora_s_own_quirks(speech_data: Path) -> None:
    files = sorted(path for path in (speech_data / "raw").rglob("*") if path.suffix.lower() in (".wav", ".aif"))
    assert files
    for path in files[:12]:
        samples = read_recording(path, max_s=60.0)
        assert samples.dtype == np.float32 and np.isfinite(samples).all()
