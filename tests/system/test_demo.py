"""The demonstration end to end, on synthesised voices and on real recordings."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from overtone_cloud.synthesis import write_corpus

ROOT = Path(__file__).resolve().parents[2]
KEYS = {
    "data",
    "split",
    "seed",
    "uar_before",
    "uar_after",
    "personal",
    "bytes_up",
    "bytes_down",
    "model_bytes",
    "hop_ms",
    "rss_mb",
    "versions",
}


def command(out: Path, *arguments: str | Path) -> list[str | Path]:
    edge = ROOT / ".venv-edge" / "bin" / "overtone-agent"
    agent = edge if edge.exists() else Path(sys.executable).parent / "overtone-agent"
    program = Path(sys.executable).parent / "overtone"
    return [program, "demo", "--out", out, "--agent", agent, *arguments]


def run_demo(out: Path, *arguments: str | Path) -> tuple[dict[str, Any], str]:
    done = subprocess.run(command(out, *arguments), capture_output=True, text=True, timeout=580, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    report: dict[str, Any] = json.loads((out / "report.json").read_text())
    return report, done.stdout


def check_report(report: dict[str, Any], printed: str, out: Path, *, rounds: int) -> None:
    assert set(report) >= KEYS
    assert set(report["hop_ms"]) >= {"p50", "p95", "p99"}
    assert set(report["personal"]) == {f"device-{n}" for n in range(1, 5)}
    assert len(report["rounds"]) == rounds
    assert all(r["accepted"] == 4 for r in report["rounds"])
    # Every device took up the last release, and nobody fell back.
    assert set(report["devices"].values()) == {report["bundle_version"]}
    assert report["bundle_version"] == 1 + sum(r["kept"] for r in report["rounds"])
    assert report["bytes_up"] > rounds * 4 * 100_000
    assert 20_000 < report["model_bytes"] < 262_144
    assert report["rss_mb"] < 80
    assert report["heard"]
    assert all(event["spoken"] in report["labels"] for event in report["heard"] if event["final"])
    assert any(event["final"] for event in report["heard"])
    if (pretrained := report["pretrained"]) is not None:
        assert pretrained["caveat"] in printed
        assert pretrained["heard"]
        assert not any("uar" in name for name in pretrained)
    page = (out / "report.html").read_text()
    assert page.count("data:image/png;base64,") == 2
    helped = report["uar_after"] > report["uar_before"]
    assert ("the rounds did not help" in printed) is not helped
    assert ("the rounds did not help" in page) is not helped
    private = [path for path in out.glob("device-*/state/store/*") if path.suffix == ".wav"]
    assert not private, "audio of labelled speech was stored"


@pytest.mark.broker
@pytest.mark.timeout(600)
def test_synthesised_voices(tmp_path: Path) -> None:
    out = tmp_path / "demo"
    report, printed = run_demo(out, "--quick")
    check_report(report, printed, out, rounds=1)
    assert "synthesised" in report["data"]
    assert "the demo uses synthesised voices" in printed


@pytest.mark.slow
@pytest.mark.broker
@pytest.mark.data
@pytest.mark.timeout(600)
def test_real_speech(tmp_path: Path, speech_data: Path) -> None:
    out = tmp_path / "demo"
    report, printed = run_demo(out, "--data", speech_data / "ravdess")
    check_report(report, printed, out, rounds=3)
    assert report["data"].endswith("ravdess")
    assert len(report["labels"]) == 8


def test_a_corpus_that_is_not_there(tmp_path: Path) -> None:
    done = subprocess.run(
        command(tmp_path / "demo", "--data", tmp_path / "nowhere"), capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "nowhere" in done.stderr


def test_a_folder_of_somebody_else_is_not_emptied(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("mine")
    done = subprocess.run(command(tmp_path), capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "choose another --out" in done.stderr
    assert (tmp_path / "letter.txt").read_text() == "mine"


@pytest.mark.broker
@pytest.mark.timeout(400)
@pytest.mark.usefixtures("heeding_ctrl_c")
def test_interrupting_leaves_no_process(tmp_path: Path) -> None:
    out = tmp_path / "demo"
    few = write_corpus(tmp_path / "voices", 12, ("neutral", "sad", "angry"), 3, seed=1).parent
    with (tmp_path / "printed.txt").open("w") as printed:
        words = command(out, "--quick", "--data", few)
        child = subprocess.Popen(words, stdout=printed, stderr=printed, start_new_session=True)
    end = time.monotonic() + 300
    log = out / "logs" / "device-4.log"
    while time.monotonic() < end and child.poll() is None and not agents_of(out):
        time.sleep(0.2)
    assert agents_of(out), (tmp_path / "printed.txt").read_text()
    os.kill(child.pid, signal.SIGINT)
    assert child.wait(30) == 130, log.read_text() if log.exists() else ""
    assert not agents_of(out)
    assert "Traceback" not in (tmp_path / "printed.txt").read_text()


def agents_of(out: Path) -> list[int]:
    """Return the processes that run from this demonstration's folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().split(b"\0")
        except OSError:
            continue
        if b"run" in words and any(str(out).encode() in word and word.endswith(b"agent.toml") for word in words):
            found.append(int(entry.parent.name))
    return found
