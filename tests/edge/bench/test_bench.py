"""overtone-bench: what it counts, what it prints, and what it says to bad input."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import soundfile
from tests.bundles import committed_bundles

from overtone_edge.bench import cli as bench
from overtone_edge.bench.figures import STAGES, table
from overtone_models import pretrained

SCHEMA = json.loads((Path(__file__).parents[3] / "docs" / "bench.schema.json").read_text())
TYPES = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
    "null": type(None),
}


def complaints(value: Any, schema: dict[str, Any], where: str = "$") -> list[str]:
    """Return what in `value` breaks `schema`: the part of JSON Schema that the document uses."""
    known = {"$schema", "$defs", "$ref", "title", "description", "type", "properties", "required", "anyOf"}
    unknown = set(schema) - known - {"additionalProperties", "const", "enum", "pattern", "minimum"}
    assert not unknown, f"the validator does not know {unknown}"
    if "$ref" in schema:
        return complaints(value, SCHEMA["$defs"][schema["$ref"].removeprefix("#/$defs/")], where)
    if "anyOf" in schema:
        found = [complaints(value, choice, where) for choice in schema["anyOf"]]
        return [] if [] in found else min(found, key=len)
    if ("const" in schema and value != schema["const"]) or ("enum" in schema and value not in schema["enum"]):
        return [f"{where} is {value!r}"]
    wanted = schema.get("type", [])
    wanted = [wanted] if isinstance(wanted, str) else wanted
    if wanted and not any(isinstance(value, TYPES[t]) and (t == "boolean" or value is not True) for t in wanted):
        return [f"{where} is {value!r}, not {wanted}"]
    if isinstance(value, str) and not re.search(schema.get("pattern", ""), value):
        return [f"{where} is {value!r}"]
    if isinstance(value, int | float) and value < schema.get("minimum", value):
        return [f"{where} is {value}"]
    return _fields(value, schema, where) if isinstance(value, dict) else []


def _fields(value: dict[str, Any], schema: dict[str, Any], where: str) -> list[str]:
    properties = schema.get("properties", {})
    found = [f"{where}.{name} is missing" for name in schema.get("required", []) if name not in value]
    for name, inner in value.items():
        if name in properties:
            found += complaints(inner, properties[name], f"{where}.{name}")
        elif schema.get("additionalProperties") is False:
            found.append(f"{where}.{name} is not in the schema")
    return found


@pytest.fixture(scope="module")
def whole(fleet, tmp_path_factory) -> dict[str, Any]:
    """The report of a run with everything in it."""
    command = [sys.executable, "-m", "overtone_edge.bench.cli", "--json", "--seconds", "1"]
    command += ["--bundle", str(fleet.path(1)), "--root", str(fleet.root)]
    path = os.pathsep.join(p for p in sys.path if p)
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path}, timeout=200, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_report_is_what_the_schema_says(whole):
    assert complaints(whole, SCHEMA) == []


def test_the_schema_is_strict(whole):
    assert complaints({**whole, "surprise": 1}, SCHEMA) == ["$.surprise is not in the schema"]
    assert complaints({**whole, "hop_ms": 99}, SCHEMA) == ["$.hop_ms is 99"]
    assert complaints({**whole, "training": {}}, SCHEMA)
    assert complaints({k: v for k, v in whole.items() if k != "clip"}, SCHEMA) == ["$.clip is missing"]


def test_report_counts_everything_once(whole):
    assert whole["bundle"]["signature"] == "checked"
    assert whole["cold_start"]["total_ms"]["count"] == bench.COLD_STARTS
    for key in ("paced", "paced_while_training", "fast"):
        run = whole[key]
        assert run["blocks"] == 10
        assert run["hop_ms"]["count"] + run["silence_ms"]["count"] == 10
        assert run["hop_ms"]["count"] > 0
        assert run["stages_ms"]["capture"]["count"] == run["stages_ms"]["gate"]["count"] == 10
        assert run["stages_ms"]["network"]["count"] == run["hop_ms"]["count"]
        assert run["publish"]["acknowledged"] == run["publish"]["events"] > 0
        memory = run["memory"]
        assert 0 < memory["at_rest_mb"] <= memory["peak_mb"] < 1000
    assert whole["paced_while_training"]["training_cpu_s"] > 0
    assert whole["paced"]["training_cpu_s"] is None
    assert whole["training"]["batch"] == 16


def test_table_shows_every_figure(whole):
    text = table(whole)
    for words in (*STAGES, "cold start", "deadline misses", "resident memory", "while training", "as fast as possible"):
        assert words in text
    assert max(map(len, text.splitlines())) < 160
    small = table({**whole, "paced": None, "paced_while_training": None, "training": None})
    assert "real pace" not in small
    assert "per step" not in small


def test_fast_without_training_reads_a_recording_and_an_unsigned_bundle(fleet, recording, tmp_path, capsys):
    path = tmp_path / "unsigned"
    path.write_bytes(fleet.payload(1))
    arguments = ["--bundle", str(path), "--wav", str(recording), "--seconds", "5", "--fast", "--no-training", "--json"]
    assert bench.main(arguments) == 0
    report = json.loads(capsys.readouterr().out)
    assert complaints(report, SCHEMA) == []
    assert [report[key] for key in ("paced", "paced_while_training", "training")] == [None, None, None]
    assert report["bundle"]["signature"] == "absent"
    assert report["clip"] == {"source": str(recording), "seconds": 5.0, "gate_held_open": False}
    run = report["fast"]
    assert run["silence_ms"]["count"] > 0
    assert 2.0 < run["speech_s"] < 5.0
    assert run["wall_s"] > 0


def test_a_window_network_is_measured_too(tmp_path, capsys):
    path = tmp_path / "window"
    path.write_bytes(committed_bundles()["two-inputs"])
    assert bench.main(["--bundle", str(path), "--seconds", "2", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert complaints(report, SCHEMA) == []
    assert (report["deadline_ms"], report["bundle"]["multiply_adds_per_hop"]) == (500.0, None)
    for key in ("paced", "paced_while_training", "fast"):
        run = report[key]
        assert run["hop_ms"]["count"] + run["silence_ms"]["count"] == run["blocks"] == 20
        assert 4 <= run["hop_ms"]["count"] <= 8
        assert run["stages_ms"]["features"]["count"] == run["stages_ms"]["network"]["count"] == run["hop_ms"]["count"]
        assert run["speech_s"] == 2.0
    assert report["paced_while_training"]["training_cpu_s"] > 0
    assert report["training"]["head_step_ms"]["count"] > 0 == report["training"]["full_step_ms"]["count"]
    assert "), 500 ms" in table(report)


def test_runs_where_tensorflow_and_librosa_cannot_be_imported(fleet):
    blocked = "import sys; sys.modules.update(dict.fromkeys(('tensorflow', 'keras', 'librosa', 'rich', 'psutil')))"
    code = f"{blocked}; from overtone_edge.bench import cli, phases, listening, training; import sys"
    path = os.pathsep.join(p for p in sys.path if p)
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "PYTHONPATH": path}, timeout=60)


def bad_inputs(name: str, fleet: Any, folder: Path) -> tuple[list[str], str]:
    """Return arguments, and what the one line must say."""
    good = fleet.path(1)
    changed = bytearray(fleet.signed(1))
    changed[len(changed) // 2] ^= 1
    (folder / "changed").write_bytes(changed)
    (folder / "empty").write_bytes(b"")
    (folder / "unsigned").write_bytes(fleet.payload(1))
    (folder / "text.wav").write_text("not sound")
    soundfile.write(folder / "nan.wav", np.array([0.0] * 999 + [np.nan], np.float32), 16_000, subtype="FLOAT")
    soundfile.write(folder / "short.wav", np.zeros(100, np.float32), 16_000)
    cases = {
        "missing bundle": (["--bundle", str(folder / "nothing")], "nothing: No such file"),
        "empty bundle": (["--bundle", str(folder / "empty")], "not a bundle"),
        "changed bundle": (["--bundle", str(folder / "changed")], "changed:"),
        "changed signed bundle": (["--bundle", str(folder / "changed"), "--root", str(fleet.root)], "changed"),
        "no signature to check": (
            ["--bundle", str(folder / "unsigned"), "--root", str(fleet.root)],
            "unsigned: not signed",
        ),
        "missing root": (["--bundle", str(good), "--root", str(folder / "no.json")], "no.json: No such file"),
        "missing sound": (["--bundle", str(good), "--wav", str(folder / "no.wav")], "no.wav: No such file"),
        "no sound": (["--bundle", str(good), "--wav", str(folder / "text.wav")], "not a recording"),
        "nan": (["--bundle", str(good), "--wav", str(folder / "nan.wav")], "sample 999 is not a finite number"),
        "short": (["--bundle", str(good), "--wav", str(folder / "short.wav")], "shorter than one window (512)"),
    }
    return cases[name]


@pytest.mark.parametrize(
    "name",
    [
        "missing bundle",
        "empty bundle",
        "changed bundle",
        "changed signed bundle",
        "no signature to check",
        "missing root",
        "missing sound",
        "no sound",
        "nan",
        "short",
    ],
)
def test_bad_input_is_one_line_and_exit_1(name, fleet, tmp_path, capsys):
    arguments, words = bad_inputs(name, fleet, tmp_path)
    assert bench.main(arguments) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith("overtone-bench: ")
    assert words in err


def test_without_any_bundle_it_says_what_to_give(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(pretrained, "FOLDERS", (tmp_path,))
    assert bench.main([]) == 1
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "no pretrained model 'medium'; none came with this software; give a bundle with --bundle FILE" in err
    (tmp_path / "medium").mkdir()
    (tmp_path / "medium" / "medium.bundle").write_bytes(b"")
    assert bench.chosen_bundle(None) == tmp_path / "medium" / "medium.bundle"
    assert bench.chosen_bundle(Path("medium")) == tmp_path / "medium" / "medium.bundle"
    assert bench.chosen_bundle(Path("small")) == Path("small")


@pytest.mark.parametrize("text", ["0", "-3", "1e9", "nan", "soon"])
def test_seconds_out_of_limits_are_refused(text, capsys):
    with pytest.raises(SystemExit) as ended:
        bench.main(["--seconds", text])
    assert ended.value.code == 2
    assert "--seconds" in capsys.readouterr().err


@pytest.mark.usefixtures("heeding_ctrl_c")
def test_interrupted_it_prints_no_result_and_leaves_no_process(fleet):
    command = [sys.executable, "-m", "overtone_edge.bench.cli", "--bundle", str(fleet.path(1)), "--seconds", "3000"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    process = subprocess.Popen(
        [*command, "--paced", "--no-training"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    )
    for line in process.stderr:
        if b"real pace" in line:
            break
    deadline = time.monotonic() + 60
    while not (children := psutil.Process(process.pid).children(recursive=True)) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert out == b""
    assert b"interrupted" in err
    assert b"Traceback" not in err
    assert children
    assert psutil.wait_procs(children, timeout=30)[1] == []


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_goes_away_is_no_traceback(unbuffered: str) -> None:
    code = "from overtone_edge.bench import cli as bench; bench.run = lambda _: {'a': 1}; "
    command = [sys.executable, "-c", f"{code}raise SystemExit(bench.main(['--json']))"]
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 1
