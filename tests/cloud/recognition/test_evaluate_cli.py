"""`overtone evaluate`: the scores of a run and the benchmark's table, on synthetic voices."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from overtone_cloud.corpora.registry import read_corpus
from overtone_cloud.corpora.splits import make_split

Overtone = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    """A copy of the run on synthetic voices: what is evaluated gets a bundle and measures."""
    return Path(shutil.copytree(trained, tmp_path / "run"))


def test_it_scores_a_run_again(overtone: Overtone, run: Path, cache: Path) -> None:
    before = json.loads((run / "metrics.json").read_text())
    status, out, _ = overtone("evaluate", run, "--cache", cache, "--part", "clean", "--json")
    assert status == 0
    found = json.loads(out)
    assert (found["uar"], found["confusion"]) == (before["uar"], before["confusion"])
    assert "named test speakers" in found["split"]
    figures = {row["figure"]: row for row in found["figures"]}
    assert figures["UAR, unseen speakers"]["values"] == [pytest.approx(100 * before["uar"], abs=0.01)]
    assert not any("int8" in name for name in figures)


def test_it_prints_the_table_of_the_benchmark(overtone: Overtone, run: Path, cache: Path, sounds: Path) -> None:
    parts = [word for part in ("int8", "noise", "sounds") for word in ("--part", part)]
    words = ("evaluate", run, "--cache", cache, "--sounds", sounds, *parts)
    status, out, err = overtone(*words)
    assert status == 0
    for text in (
        "recall %",
        "unseen speakers",
        "int8 gives float's label",
        "UAR lost in noise (10 dB)",
        "expected calibration error",
        'everyday sounds with "no decision"',
        "1 of the 3 seeds that a figure to quote needs",
    ):
        assert text in out
    assert "measuring int8 streaming" in err
    again = overtone(*words)
    assert again == (0, out, "")


def test_shared_speakers_are_named_and_need_no_bundle(overtone: Overtone, run: Path, voices: Path, cache: Path) -> None:
    """The run as one whose split was random: its speakers then are what they always were, but not promised to be."""
    split = make_split(read_corpus(voices).utterances, "random")
    split.save(run / "split.json")
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps({**config, "fold": "fold 1"}))
    status, out, err = overtone("evaluate", run, "--cache", cache)
    assert status == 0, err
    assert "UAR, speakers shared" in out
    assert "unseen" not in out
    assert "measuring far microphone" in err
    assert not (run / "model.bundle").exists()
    status, _, err = overtone("evaluate", run, "--cache", cache, "--part", "int8")
    assert (status, "--part int8 needs unseen speakers, this split shares them" in err) == (1, True)


def test_seeds_are_pooled(overtone: Overtone, run: Path, cache: Path, tmp_path: Path) -> None:
    seeds = tmp_path / "seeds"
    for seed in (0, 1):
        folder = Path(shutil.copytree(run, seeds / f"seed{seed}"))
        config = json.loads((folder / "config.json").read_text())
        config["settings"]["seed"] = seed
        (folder / "config.json").write_text(json.dumps(config))
    status, out, _ = overtone("evaluate", seeds, "--cache", cache, "--part", "clean", "--json")
    found = json.loads(out)
    assert (status, [each["seed"] for each in found["runs"]]) == (0, [0, 1])
    figure = found["figures"][0]
    assert (len(figure["values"]), figure["sd"]) == (2, 0.0)
    config["fold"], config["settings"]["seed"] = "another", 2
    (folder / "config.json").write_text(json.dumps(config))
    status, _, err = overtone("evaluate", seeds, "--cache", cache, "--part", "clean")
    assert (status, "another" in err) == (1, True)


def test_a_corpus_that_has_moved(overtone: Overtone, run: Path, voices: Path, tmp_path: Path) -> None:
    before = json.loads((run / "metrics.json").read_text())
    moved = Path(shutil.copytree(voices, tmp_path / "elsewhere"))
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps({**config, "corpus": str(tmp_path / "gone")}))
    status, _, err = overtone("evaluate", run, "--part", "clean", "--json")
    assert status == 1
    assert "gone" in err
    words = ("--corpus", moved, "--cache", tmp_path / "cache", "--part", "clean", "--json")
    status, out, _ = overtone("evaluate", run, *words)
    assert status == 0
    assert json.loads(out)["uar"] == before["uar"]


def test_a_corpus_that_changed(overtone: Overtone, run: Path, voices: Path, tmp_path: Path) -> None:
    changed = Path(shutil.copytree(voices, tmp_path / "changed"))
    rows = (changed / "manifest.csv").read_text().splitlines()
    (changed / "manifest.csv").write_text("\n".join(rows[:-1]) + "\n")
    status, _, err = overtone("evaluate", run, "--corpus", changed, "--cache", tmp_path / "cache")
    assert status == 1
    assert "split" in err
    assert "corpus" in err


def test_a_run_that_is_not_there(overtone: Overtone, tmp_path: Path) -> None:
    status, _, err = overtone("evaluate", tmp_path / "nowhere")
    assert status == 1
    assert "no run folder: config.json is missing" in err


def test_a_part_needs_its_folder(overtone: Overtone, run: Path) -> None:
    status, _, err = overtone("evaluate", run, "--part", "noise")
    assert (status, "--part noise needs --sounds DIR" in err) == (1, True)
