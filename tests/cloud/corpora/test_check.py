"""Integrity check of a corpus: unreadable, identical and silent utterances; statistics; plots."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from overtone_cloud.corpora import Problem, read_corpus
from overtone_cloud.corpora.check import Inspection, check, measure
from overtone_cloud.corpora.plots import plot
from overtone_cloud.corpora.statistics import statistics
from overtone_cloud.errors import CorpusError

Tree = Callable[..., Path]
NAMES = ["ann/happy/a.wav", "ann/sad/b.wav", "bob/happy/c.wav", "bob/sad/d.wav"]


def of_kind(inspection: Inspection, kind: str) -> list[Problem]:
    return [p for p in inspection.reading.problems if p.kind == kind]


def test_unreadable_files_are_named_and_left_out(tree: Tree) -> None:
    root = tree(NAMES)
    (root / NAMES[0]).write_bytes(b"")
    soundfile.write(root / NAMES[1], np.full(100, np.nan), 16_000, subtype="FLOAT")
    seen: list[tuple[int, int]] = []
    inspection = check(read_corpus(root), lambda done, total: seen.append((done, total)))
    assert [u.id for u in inspection.reading.utterances] == NAMES[2:]
    summary, empty, broken = of_kind(inspection, "unreadable")
    assert summary.text == "2 of 4 utterances cannot be used, skipped"
    assert summary.names == tuple(NAMES[:2])
    assert "0 bytes" in empty.text
    assert "not a finite number" in broken.text
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert set(inspection.durations_s) == set(NAMES[2:])


def test_identical_sound_is_named_and_kept(tree: Tree) -> None:
    root = tree(NAMES)
    samples, rate = soundfile.read(root / NAMES[0])
    soundfile.write(root / "bob/happy/c.flac", samples, rate)
    (root / "bob/happy/c.wav").unlink()
    soundfile.write(root / NAMES[1], samples, rate)
    inspection = check(read_corpus(root))
    assert len(inspection.reading.utterances) == 4
    (duplicate,) = of_kind(inspection, "duplicate")
    assert duplicate.names == (NAMES[0], NAMES[1], "bob/happy/c.flac")
    assert "under different labels" in duplicate.text


def test_silence_is_named(tree: Tree) -> None:
    root = tree(NAMES)
    soundfile.write(root / NAMES[3], np.zeros(1000), 16_000)
    (silent,) = of_kind(check(read_corpus(root)), "silent")
    assert silent.names == (NAMES[3],)


def test_statistics_count_and_time(tree: Tree) -> None:
    root = tree(NAMES)
    soundfile.write(root / NAMES[1], np.ones(16_000) / 2, 8_000)
    numbers = statistics(measure(read_corpus(root)))
    assert numbers.labels == ("happy", "sad")
    assert [(row.name, row.utterances) for row in numbers.by_label] == [("happy", 2), ("sad", 2)]
    assert [(row.name, row.labels) for row in numbers.by_speaker] == [
        ("ann", {"happy": 1, "sad": 1}),
        ("bob", {"happy": 1, "sad": 1}),
    ]
    assert numbers.by_label[1].longest_s == 2.0
    assert numbers.total.shortest_s == pytest.approx(0.05)
    assert numbers.total.total_s == pytest.approx(2.15)


def test_measure_leaves_out_what_has_no_header(tree: Tree) -> None:
    root = tree(NAMES)
    (root / NAMES[2]).write_text("x")
    inspection = measure(read_corpus(root))
    assert len(inspection.reading.utterances) == 3
    assert of_kind(inspection, "unreadable")[0].names == (NAMES[2],)


def test_pictures(tree: Tree, tmp_path: Path) -> None:
    root = tree(NAMES)
    (root / NAMES[0]).write_bytes((root / NAMES[0]).read_bytes()[:60] + b"")
    soundfile.write(root / NAMES[3], np.full(50, 0.1), 16_000)
    paths = plot(measure(read_corpus(root)), tmp_path / "out")
    assert [p.name for p in paths] == [
        "counts.png",
        "durations.png",
        "utterance-happy.png",
        "utterance-sad.png",
    ]
    for path in paths:
        assert path.read_bytes().startswith(b"\x89PNG")
        assert path.stat().st_size > 5_000


def test_pictures_need_a_label_and_room(tree: Tree, tmp_path: Path) -> None:
    root = tree(["a.wav"])
    (root / "manifest.csv").write_text("path,label\na.wav,\n")
    with pytest.raises(CorpusError, match="no utterance with a label"):
        plot(measure(read_corpus(root)), tmp_path / "out")
    assert not (tmp_path / "out").exists()
    (tmp_path / "file").write_text("x")
    with pytest.raises(CorpusError, match="cannot be written"):
        plot(measure(read_corpus(tree(NAMES, root="b"))), tmp_path / "file" / "out")


@pytest.mark.data
def test_ravdess_has_two_identical_clips(speech_data: Path) -> None:
    (duplicate,) = of_kind(check(read_corpus(speech_data / "raw" / "ravdess")), "duplicate")
    assert duplicate.names == (
        "Actor_07/03-01-03-01-02-01-07.wav",
        "Actor_07/03-01-03-01-02-02-07.wav",
    )
