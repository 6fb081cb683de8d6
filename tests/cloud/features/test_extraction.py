"""Feature extraction: the same for any number of processes, cached by content, failures reported."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from overtone_cloud.corpora import audio
from overtone_cloud.corpora.utterance import Utterance
from overtone_cloud.errors import ConfigError, TrainingError
from overtone_cloud.features import cache, computation, extraction
from overtone_cloud.features.computation import Outcome
from overtone_cloud.features.extraction import extract
from overtone_models.features.crops import VoicedSpectrogramSpec
from overtone_models.features.means import MeanMfccSpec
from overtone_models.features.short_term import ShortTermSpec
from overtone_models.features.spec import Feature

SPEC = ShortTermSpec(windows=5)


def entries(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def utterance(path: Path) -> Utterance:
    return Utterance(id=path.name, path=path, corpus="tones")


@pytest.fixture
def helped_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start processes after the first recording."""
    monkeypatch.setattr(extraction, "ALONE_S", 0.0)


def test_few_recordings_start_no_process(
    tones: list[Utterance], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extraction, "in_processes", None)
    assert len(extract(tones, SPEC, cache=tmp_path, jobs=2)) == len(tones)


@pytest.mark.usefixtures("helped_at_once")
def test_processes_give_what_one_does_in_order(tones: list[Utterance], tmp_path: Path) -> None:
    before = dict(os.environ)
    many = extract(tones, SPEC, cache=tmp_path / "many", jobs=2)
    one = extract(tones, SPEC, cache=tmp_path / "one", jobs=1)
    expected = [SPEC.compute(audio.load(u.path)) for u in tones]
    for found in (many, one):
        assert all(np.allclose(a, b, atol=1e-6) for a, b in zip(found, expected, strict=True))
    assert len(entries(tmp_path / "many")) == len(tones)
    assert dict(os.environ) == before


def test_what_is_kept_is_not_computed_again(
    tones: list[Utterance], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = extract(tones, SPEC, cache=tmp_path / "cache", jobs=1)
    moved = [utterance(u.path.rename(u.path.with_name(f"moved-{u.id}"))) for u in tones]
    monkeypatch.setattr(computation, "compute_file", lambda path, spec: pytest.fail("computed again"))
    lines: list[str] = []
    again = extract(moved, SPEC, cache=tmp_path / "cache", jobs=1, log=lines.append)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True)) and not lines


def test_changed_content_or_parameters_are_computed(tones: list[Utterance], tmp_path: Path) -> None:
    pair = tones[:2]
    before = extract(pair, SPEC, cache=tmp_path / "cache")
    pair[0].path.write_bytes(tones[2].path.read_bytes())
    after = extract(pair, SPEC, cache=tmp_path / "cache")
    assert not np.array_equal(before[0], after[0]) and np.array_equal(before[1], after[1])
    published = extract(pair, ShortTermSpec(windows=5, as_published=True), cache=tmp_path / "cache")
    assert not np.array_equal(published[1], after[1])


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "text"])
def test_a_broken_entry_is_computed_again(tones: list[Utterance], tmp_path: Path, damage: str) -> None:
    folder = tmp_path / "cache"
    first = extract(tones[:1], SPEC, cache=folder)[0]
    (entry,) = entries(folder)
    data = bytearray(entry.read_bytes())
    data[len(data) // 2] ^= 0x10
    entry.write_bytes({"cut": data[: len(data) // 2], "flipped": data, "empty": b"", "text": b"no feature"}[damage])
    assert np.array_equal(extract(tones[:1], SPEC, cache=folder)[0], first)
    assert np.array_equal(cache.read_feature(folder, cache.key_of(tones[0].path, SPEC)), first)
    assert entries(folder) == [entry]


@pytest.mark.usefixtures("helped_at_once")
def test_unusable_files_are_none_and_named_with_their_count(tones: list[Utterance], tmp_path: Path) -> None:
    folder = tones[0].path.parent
    (folder / "text.wav").write_text("no sound")
    (folder / "empty.wav").write_bytes(b"")
    soundfile.write(folder / "short.wav", np.full(800, 0.1), 16_000)
    bad = [utterance(folder / name) for name in ("text.wav", "empty.wav", "short.wav", "gone.wav")]
    for jobs in (1, 2):
        lines: list[str] = []
        found = extract([*bad, *tones], SPEC, cache=tmp_path / f"cache {jobs}", jobs=jobs, log=lines.append)
        assert [feature is None for feature in found] == [True] * 4 + [False] * 20
        assert "4 of 24 recordings left out" in lines[-1]
        for words in (
            "text.wav: not a recording that can be read",
            "empty.wav: the file is empty (0 bytes)",
            "short.wav: feature short-term: 800",
            "gone.wav: No",
        ):
            assert words in lines[-1]
        assert "\n" not in lines[-1]


def test_the_line_stays_short_when_all_are_lost(tmp_path: Path) -> None:
    lines: list[str] = []
    gone = [utterance(tmp_path / f"{i}.wav") for i in range(300)]
    assert extract(gone, SPEC, cache=tmp_path / "cache", log=lines.append) == [None] * 300
    assert len(lines) == 1 and "300 of 300" in lines[0] and "and 290 more" in lines[0]


def test_an_interrupted_extraction_goes_on(
    tones: list[Utterance], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = computation.compute_file

    def compute_file(path: Path, spec: Feature) -> Outcome:
        if path == tones[12].path:
            raise KeyboardInterrupt
        return original(path, spec)

    monkeypatch.setattr(computation, "compute_file", compute_file)
    with pytest.raises(KeyboardInterrupt):
        extract(tones, SPEC, cache=tmp_path / "cache", jobs=1)
    monkeypatch.undo()
    lines: list[str] = []
    assert all(feature is not None for feature in extract(tones, SPEC, cache=tmp_path / "cache", log=lines.append))
    assert lines[0] == "short-term: 8 of 20 recordings to compute"


def test_equal_recordings_are_computed_once(tones: list[Utterance], tmp_path: Path) -> None:
    twin = tones[0].path.with_name("twin.wav")
    twin.write_bytes(tones[0].path.read_bytes())
    lines: list[str] = []
    found = extract([tones[0], utterance(twin), tones[0]], SPEC, cache=tmp_path / "cache", log=lines.append)
    assert lines[0] == "short-term: 1 of 2 recordings to compute"
    assert np.array_equal(found[0], found[1]) and np.array_equal(found[0], found[2])


def test_features_of_any_length_and_other_rates(tones: list[Utterance], tmp_path: Path) -> None:
    long = tones[0].path.with_name("long.wav")
    soundfile.write(long, np.random.default_rng(0).normal(size=48_000) * 0.1, 48_000)
    pair = [tones[0], utterance(long)]
    for _ in range(2):
        found = extract(pair, VoicedSpectrogramSpec(), cache=tmp_path / "cache")
        assert [feature.shape for feature in found if feature is not None] == [(129, 32), (129, 63)]
    mfcc = extract([utterance(long)], MeanMfccSpec(), cache=tmp_path / "cache")[0]
    assert mfcc is not None
    np.testing.assert_allclose(mfcc, MeanMfccSpec().compute(audio.load(long, sample_rate_hz=22_050)), atol=1e-4)


def test_bad_arguments_are_one_line(tones: list[Utterance], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="jobs is 0, it must be at least 1"):
        extract(tones, SPEC, cache=tmp_path / "cache", jobs=0)
    (tmp_path / "file").write_text("")
    with pytest.raises(TrainingError, match=r"file/.*cannot be written"):
        extract(tones[:1], SPEC, cache=tmp_path / "file")


def test_without_ray_the_extra_is_named(
    tones: list[Utterance], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ConfigError, match=r"ray is not installed; pip install 'overtone\[scale\]'"):
        extract(tones, SPEC, cache=tmp_path / "cache", ray="local")


def test_workers_import_no_tensorflow() -> None:
    code = (
        "import sys, overtone_cloud.features.extraction; assert not {'tensorflow', 'librosa', 'ray'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stdin=subprocess.DEVNULL, timeout=60)


def test_where_features_are_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("OVERTONE_CACHE", str(tmp_path))
    assert cache.cache_directory() == tmp_path
    monkeypatch.delenv("OVERTONE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache.cache_directory() == tmp_path / "overtone"
