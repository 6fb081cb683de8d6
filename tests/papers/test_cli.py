"""`overtone paper list` and `overtone paper run`, on synthetic voices."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from overtone_papers.catalogue import SYSTEMS

Overtone = Callable[..., tuple[int, str, str]]
SHORT = ("--option", "epochs=1", "--option", "splits=random,speaker", "--option", "folds=2", "--jobs", "1")


@pytest.fixture
def run(overtone: Overtone, voices: Path, cache: Path, tmp_path: Path) -> Overtone:
    """Return a function that runs system C on the voices; more words come after the usual ones."""

    def call(*words: object, system: str = "C", corpus: str | None = None) -> tuple[int, str, str]:
        where = ("--out", tmp_path / "run", "--cache", cache)
        return overtone("paper", "run", system, "--corpus", corpus or f"manifest={voices}", *where, *SHORT, *words)

    return call


def test_the_list_names_parts_needs_and_options(overtone: Overtone) -> None:
    status, out, _ = overtone("paper", "list")
    assert status == 0
    assert [line[0] for line in out.splitlines() if not line.startswith(" ")] == list(SYSTEMS)
    assert "parts:   exploration, splits" in out
    assert "splits=random,tail,speaker: which of random, tail, speaker" in out
    status, out, _ = overtone("paper", "list", "--json")
    assert json.loads(out)["C"]["options"]["epochs"] == {
        "meaning": "epochs of a training; --quick takes 12",
        "default": "50",
    }


def test_a_run_writes_its_report_and_goes_on(run: Overtone, tmp_path: Path) -> None:
    status, out, err = run("--json")
    assert status == 0, err
    report = json.loads(out)
    assert json.loads((tmp_path / "run" / "report.json").read_text()) == report
    assert report["system"] == "C"
    assert report["options"] == {"epochs": "1", "splits": "random,speaker", "folds": "2"}
    assert report["corpora"]["manifest"]["speakers"] == 6
    assert [part["name"] for part in report["parts"]] == ["exploration", "splits", "random", "speaker"]
    assert (tmp_path / "run" / "report.html").stat().st_size > 50_000
    assert "system C: 3 trainings of 1 epochs, about 1 min" in err
    assert "accelerator: " in err
    assert "manifest-random-random-seed0" in err
    status, out, err = run()
    assert status == 0
    assert err.count("kept from an earlier run") == 4
    assert "Accuracy of the LSTM" in out
    assert "report.html" in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--option", "epoch=3"), "system C has no option 'epoch'; there are: epochs, batch, scale, folds, splits"),
        (("--option", "epochs"), "--option 'epochs' is not of the form NAME=VALUE"),
        (("--part", "tail"), "system C has no part 'tail'; there are exploration, splits"),
        (("--seeds", "0"), "--seeds is 0, it must be at least 1"),
        (("--jobs", "0"), "--jobs is 0, it must be at least 1"),
        (("--corpus", "tess"), "--corpus 'tess' is not of the form NAME=PATH"),
        (("--corpus", "tess="), "--corpus 'tess=' is not of the form NAME=PATH"),
        (("--corpus", "voices=here"), "unknown corpus 'voices'; there are ravdess, tess"),
        (("--corpus", "manifest=here"), "manifest is given twice"),
        (("--corpus", "tess=nowhere/at/all"), "nowhere/at/all: no such folder or manifest"),
    ],
)
def test_what_cannot_be_is_one_line(run: Overtone, words: tuple[str, ...], said: str) -> None:
    status, out, err = run(*words)
    assert status == 1
    assert not out
    assert err.startswith("overtone: ")
    assert err.count("\n") == 1
    assert said in err


def test_an_unknown_letter_is_one_line(run: Overtone) -> None:
    assert run(system="Z") == (1, "", "overtone: there is no system 'Z'; there are A, B, C, D, E\n")


def test_a_folder_that_cannot_be_written_is_one_line(run: Overtone, tmp_path: Path) -> None:
    (tmp_path / "run").write_text("")
    status, _, err = run()
    assert status == 1
    assert "overtone: " in err.splitlines()[-1]
    assert "Traceback" not in err


@pytest.mark.usefixtures("heeding_ctrl_c")
def test_an_interrupted_run_says_how_it_goes_on(voices: Path, cache: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "overtone_cloud.cli.main", "paper", "run", "C", "--corpus", f"manifest={voices}"]
    command += ["--out", str(tmp_path / "run"), "--cache", str(cache), "--option", "epochs=1000", "--jobs", "1"]
    with (tmp_path / "said").open("w") as said:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, env=os.environ)
        try:
            deadline = time.monotonic() + 120
            while "manifest-random" not in (tmp_path / "said").read_text() and time.monotonic() < deadline:
                time.sleep(0.2)
            time.sleep(1)
            process.send_signal(signal.SIGINT)
            status = process.wait(60)
        finally:
            process.kill()
            process.wait()
    text = (tmp_path / "said").read_text()
    assert status == 130, text
    assert "the same command goes on from there" in text.splitlines()[-1]
    assert "Traceback" not in text
    assert (tmp_path / "run" / "steps" / "exploration-pictures.json").is_file()
