"""The side-by-side measurements run, check that the candidates agree, print JSON, and their targets become a table."""

import importlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from tests.bundles import committed_bundles

FOLDER = Path(__file__).parents[1] / "benchmarks"
SCRIPTS = {
    "front_end": ("sound",),
    "whole_path": ("cpu_ms_per_ten_hops", "script_over_agent", "agent_over_floor", "same_label"),
    "training_step": ("head", "full"),
    "memory_and_start": ("start_s", "memory_mb", "imports"),
    "listening_while_learning": ("runs",),
    "growth": ("growth",),
}
OPTIONS = {"listening_while_learning": ["--minutes", "0.03"], "growth": ["--quick"]}
SLOW = {"listening_while_learning", "growth"}


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    """Return a function that imports a script by its name."""
    monkeypatch.syspath_prepend(str(FOLDER))
    loaded: list[str] = []

    def load(name: str) -> ModuleType:
        loaded.append(name)
        return importlib.import_module(name)

    yield load
    for name in (*loaded, "_common", "_targets"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize("hop_ms", [20, 500])
def test_a_network_for_any_hop_can_be_made(module, hop_ms):
    from overtone_models.bundle import read_bundle

    bundle = read_bundle(module("_common").sized_bundle("S", hop_ms=hop_ms, training=False))
    front_end = bundle.manifest.front_end
    assert front_end.block_frames * front_end.hop_samples == 16 * hop_ms


@pytest.mark.parametrize(
    "script", [pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name for name in SCRIPTS]
)
def test_benchmark_prints_json(script, tmp_path):
    bundle = tmp_path / "tiny.bundle"
    bundle.write_bytes(committed_bundles()["tiny-1"])
    command = [sys.executable, str(FOLDER / f"{script}.py"), "--rounds", "1", "--seconds", "6", "--bundle", str(bundle)]
    done = subprocess.run(
        [*command, *OPTIONS.get(script, [])], capture_output=True, text=True, timeout=280, check=False
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["benchmark"] == script
    assert report["threads"] == 1
    assert report["machine"]["cores"] >= 1
    assert set(SCRIPTS[script]) <= set(report)
    assert report["targets"]
    for target in report["targets"]:
        assert target["measured"] >= 0
        if target.get("relation") == "at most":
            assert target["met"] is (target["measured"] <= target["limit"])
        elif target.get("relation") == "at least":
            assert target["met"] is (target["measured"] >= target["limit"])


def test_the_pretrained_model_is_measured_unless_a_size_is_asked_for(module, tmp_path, monkeypatch):
    from overtone_models import pretrained

    common = module("_common")
    monkeypatch.setattr(pretrained, "FOLDERS", (tmp_path,))
    assert common.default_bundle(None) is None
    (tmp_path / "medium").mkdir()
    (tmp_path / "medium" / "medium.bundle").write_bytes(b"")
    assert common.default_bundle(None) == tmp_path / "medium" / "medium.bundle"
    assert common.default_bundle("S") is None


def test_targets_are_met_at_the_limit_and_not_beyond(module):
    targets = module("_targets")
    assert [targets.at_least("x", value, 5.0)["met"] for value in (4.99, 5.0, 5.01)] == [False, True, True]
    assert [targets.at_most("x", value, 5.0)["met"] for value in (4.99, 5.0, 5.01)] == [True, True, False]
    assert targets.at_most("x", None, 5.0)["met"] is None
    assert "met" not in targets.figure("x", 3.0)


def test_table_tells_what_is_met_and_what_is_not(module):
    targets = module("_targets")
    report = {
        "benchmark": "front_end",
        "targets": [
            targets.at_least("speed", 3.25, 5.0),
            targets.at_most("memory", 60.0, 64.0, "MB"),
            targets.at_most("start", None, 0.6, "s"),
            targets.figure("hops", 7.0),
        ],
    }
    lines = targets.table(
        [report, {"benchmark": "growth", "error": "failed with status 3", "targets": []}]
    ).splitlines()
    assert [line.split() for line in lines[:3]] == [
        ["figure", "measured", "target"],
        ["front", "end"],
        ["speed", "3.25", "at", "least", "5", "NOT", "met"],
    ]
    assert lines[3].split() == ["memory", "60", "MB", "at", "most", "64", "MB", "met"]
    assert lines[4].split() == ["start", "-", "at", "most", "0.6", "s", "not", "measured"]
    assert lines[5].split() == ["hops", "7"]
    assert lines[6].split() == ["growth", "failed", "with", "status", "3"]
    assert lines[-1] == "1 met, 1 NOT met, 1 not measured"
    assert targets.table([]).splitlines()[-1] == "no figure has a target"


def script(folder: Path, name: str, text: str) -> None:
    (folder / f"{name}.py").write_text(text)


def test_a_run_keeps_every_report_and_does_not_fail_for_a_target(module, tmp_path, monkeypatch, capsys):
    run = module("run")
    monkeypatch.setattr(run, "FOLDER", tmp_path)
    machine = {"model": "x", "cores": 1, "architecture": "y", "python": "3", "load": 0.25}
    report = {"benchmark": "front_end", "machine": machine, "targets": [run._targets.at_least("speed", 1.0, 5.0)]}
    script(tmp_path, "front_end", f"import sys\nprint({json.dumps(json.dumps(report))})\n")
    out = tmp_path / "out"
    assert run.main(["--only", "front_end", "--bundle", "some.bundle", "--out", str(out)]) == 0
    assert json.loads((out / "front_end.json").read_text()) == report
    assert [file.name for file in out.iterdir()] == ["front_end.json"]
    printed = capsys.readouterr().out
    assert "load up to 0.2" in printed
    assert "NOT met" in printed


def test_a_measurement_that_cannot_be_made_fails_the_run(module, tmp_path, monkeypatch, capsys):
    run = module("run")
    monkeypatch.setattr(run, "FOLDER", tmp_path)
    script(tmp_path, "growth", "raise SystemExit(7)\n")
    assert run.main(["--only", "growth", "--bundle", "some.bundle", "--out", str(tmp_path / "out")]) == 1
    assert "failed with status 7" in capsys.readouterr().out
    assert json.loads((tmp_path / "out" / "growth.json").read_text())["error"] == "failed with status 7"


def test_scripts_get_the_options_that_are_theirs(module, tmp_path):
    run = module("run")
    arguments = run.build_parser().parse_args(["--minutes", "10", "--out", str(tmp_path)])
    bundle = Path("b")
    assert run.options("front_end", arguments, bundle) == ["--bundle", "b"]
    assert run.options("listening_while_learning", arguments, bundle)[-2:] == ["--minutes", "10.0"]
    assert run.options("growth", arguments, bundle)[-2:] == ["--plot", str(tmp_path / "growth.png")]
    quick = run.build_parser().parse_args(["--quick"])
    assert "--quick" in run.options("growth", quick, bundle)
    assert run.options("front_end", quick, bundle)[-4:] == ["--rounds", "3", "--seconds", "6"]


def test_runs_with_training_are_what_is_held_to_the_deadline(module):
    learning = module("listening_while_learning")
    times = {"p50": 1.0, "p95": 2.0, "p99": 30.0, "max": 50.0, "count": 600}
    runs = [
        {
            "cores": cores,
            "training": training,
            "hops": 600,
            "deadline_misses": 0,
            "hop_ms": times,
            "training_cpu_s": cpu,
        }
        for cores, training, cpu in ((2, False, None), (2, True, 9.0), (1, True, 8.0))
    ]
    assert [target["met"] for target in learning.targets_of(runs)] == [True, False, True, True]
    lines = learning.table(runs).splitlines()
    assert lines[1].split()[-2:] == ["50.00", "-"]
    assert lines[3].startswith("1 core, training on")


def test_a_network_that_had_to_wait_does_not_raise_the_floor(module):
    network_of = module("whole_path").network_of
    here = {"network_in_this_process": 0.02, "one_real_fft": 0.01}
    assert network_of({**here, "litert_benchmark": 0.03}) == "litert_benchmark"
    assert network_of({**here, "litert_benchmark": 0.12}) == "network_in_this_process"
    assert network_of({**here, "litert_benchmark": None}) == "network_in_this_process"


def test_growth_is_drawn(module, tmp_path):
    growth = module("growth")
    rows = [{"value": value, "cpu_ms_per_s": float(value)} for value in (1, 2)]
    found = {"length_of_speech_s": rows, "streams": rows, "hop_ms": rows, "size": [{"value": "S", "cpu_ms_per_s": 1.0}]}
    growth.plot(found, tmp_path / "new" / "growth.png")
    assert (tmp_path / "new" / "growth.png").read_bytes().startswith(b"\x89PNG")
    assert growth.table(found).splitlines()[1].split() == ["length_of_speech_s", "1", "1.000"]
