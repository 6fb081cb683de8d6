"""The commands without a running agent: install, label recordings, personalise, status, erase."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from overtone_edge.agent.cli import main
from overtone_edge.core.errors import ControlError
from overtone_edge.learning.labelling import seconds

FILE_SOURCE = '[source]\nkind = "file"\npath = "speech.wav"\npaced = false\n[decision]\nthreshold = 0.0\n'
OUTPUT = '[output]\njsonl = "log/events.jsonl"\n'


@pytest.fixture
def config(make_config, fleet) -> Path:
    """A configuration with bundle 1 installed."""
    path = make_config(FILE_SOURCE + OUTPUT)
    assert main(["install", str(fleet.path(1)), "--config", str(path)]) == 0
    return path


@pytest.fixture
def manifest(tmp_path: Path, voice) -> Path:
    """A table of 12 recordings of two voices."""
    rows = ["path,label"]
    for n in range(12):
        soundfile.write(tmp_path / f"{n}.flac", voice(1.2, pitch_hz=110.0 + 110 * (n % 2) + n, seed=n), 16_000)
        rows.append(f"{n}.flac,{'Happiness' if n % 2 else 'sad'}")
    path = tmp_path / "labels.csv"
    path.write_text("\n".join(rows) + "\n")
    return path


def status(config: Path, capsys) -> dict:
    capsys.readouterr()
    assert main(["status", "--json", "--config", str(config)]) == 0
    return json.loads(capsys.readouterr().out)


def refused(capsys, *argv: object) -> str:
    capsys.readouterr()
    assert main([str(word) for word in argv]) == 1
    complaint = capsys.readouterr().err.strip().splitlines()
    assert complaint[-1].startswith("overtone-agent: ")
    return complaint[-1]


def test_from_a_bundle_to_events(config: Path, recording: Path, tmp_path: Path) -> None:
    assert main(["run", "--config", str(config)]) == 0
    events = [json.loads(line) for line in (tmp_path / "log" / "events.jsonl").read_text().splitlines()]
    assert [event["final"] for event in events].count(True) == 2
    assert {event["bundle_version"] for event in events} == {1}


def test_labels_personal_head_and_erasing(config: Path, manifest: Path, recording: Path, tmp_path, capsys) -> None:
    assert main(["label", "--manifest", str(manifest), "--config", str(config)]) == 0
    before = status(config, capsys)
    assert {label: sum(parts.values()) for label, parts in before["by_label"].items()} == {"happy": 6, "sad": 6}
    assert all(1 <= parts["held_out"] <= 2 for parts in before["by_label"].values())
    assert main(["personalise", "--json", "--config", str(config)]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["kept"] and result["judged"] == result["examples"] == 12
    assert main(["run", "--config", str(config)]) == 0
    assert status(config, capsys)["personal"]["base"] == before["bundle"]["base"]
    assert main(["erase", "--yes", "--config", str(config)]) == 0
    after = status(config, capsys)
    assert (after["examples"], after["held_out"], after["personal"], after["outbox"]) == (0, 0, None, 0)
    assert not (tmp_path / "log" / "events.jsonl").exists()
    assert after["bundle"] == before["bundle"]


def test_erasing_asks_first(config: Path, manifest: Path, monkeypatch, capsys) -> None:
    main(["label", "--manifest", str(manifest), "--config", str(config)])
    monkeypatch.setattr("builtins.input", lambda _question: "n")
    assert main(["erase", "--config", str(config)]) == 1
    assert status(config, capsys)["examples"] >= 8


def test_erasing_without_anybody_to_ask_erases_nothing(config: Path, manifest: Path, monkeypatch, capsys) -> None:
    main(["label", "--manifest", str(manifest), "--config", str(config)])
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert "--yes skips the question" in refused(capsys, "erase", "--config", config)
    assert status(config, capsys)["examples"] >= 8


def test_one_file(config: Path, recording: Path, capsys) -> None:
    assert main(["label", "angry", "--file", str(recording), "--config", str(config)]) == 0
    assert status(config, capsys)["by_label"]["angry"]["training"] == 1


def test_bad_labels_and_recordings_are_named(config: Path, manifest: Path, tmp_path: Path, silence, capsys) -> None:
    here = ("--config", config)
    assert "unknown label 'grumpy'" in refused(capsys, "label", "grumpy", "--file", "x.wav", *here)
    assert "no label 'bored'" in refused(capsys, "label", "bored", "--file", "x.wav", *here)
    assert "No such file" in refused(capsys, "label", "sad", "--file", tmp_path / "x.wav", *here)
    assert "no agent runs" in refused(capsys, "label", "sad", "--last", "5s", *here)
    assert "is not a duration" in refused(capsys, "label", "sad", "--last", "5", *here)
    manifest.write_text(manifest.read_text() + "0.flac,grumpy\n")
    assert "line 14: unknown label 'grumpy'" in refused(capsys, "label", "--manifest", manifest, *here)
    manifest.write_text("path,label\nmissing.wav,sad\n")
    assert "line 2: there is no file" in refused(capsys, "label", "--manifest", manifest, *here)
    manifest.write_text("file,emotion\nmissing.wav,sad\n")
    assert "must name the columns path and label" in refused(capsys, "label", "--manifest", manifest, *here)
    soundfile.write(tmp_path / "quiet.wav", silence(2.0), 16_000)
    assert "hears no speech" in refused(capsys, "label", "sad", "--file", tmp_path / "quiet.wav", *here)
    assert status(config, capsys)["examples"] == 0


def test_a_bundle_that_is_not_to_be_trusted_changes_nothing(config: Path, fleet, tmp_path: Path, capsys) -> None:
    before = status(config, capsys)["bundle"]
    changed = bytearray(fleet.signed(2))
    changed[len(changed) // 2] ^= 1
    (tmp_path / "changed").write_bytes(changed)
    refused(capsys, "install", tmp_path / "changed", "--config", config)
    assert "no file" in refused(capsys, "install", tmp_path / "nowhere", "--config", config)
    assert status(config, capsys)["bundle"] == before
    assert main(["install", str(fleet.path(2)), "--config", str(config)]) == 0
    assert "not to be trusted" in refused(capsys, "install", fleet.path(1), "--config", config)
    assert status(config, capsys)["bundle"]["version"] == 2
    assert status(config, capsys)["previous_version"] == 1


def test_a_damaged_bundle_has_a_status(config: Path, capsys) -> None:
    from overtone_edge.core.config import load_config
    from overtone_edge.install.stored_model import bundle_path
    from overtone_edge.state.home import Home

    path = bundle_path(Home(load_config(config)))
    assert path is not None
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    found = status(config, capsys)["bundle"]
    assert found["version"] == 1 and "is not what was installed: its digest differs" in found["error"]


def test_without_a_bundle_there_is_nothing_to_run(make_config, recording: Path, capsys) -> None:
    path = make_config(FILE_SOURCE)
    assert "no bundle is installed" in refused(capsys, "run", "--config", path)
    assert "no bundle is installed" in refused(capsys, "personalise", "--config", path)


@pytest.mark.parametrize("content", [b"", b"no sound", None])
def test_a_recording_that_cannot_be_read_ends_the_agent(config: Path, tmp_path: Path, content, caplog) -> None:
    if content is not None:
        (tmp_path / "speech.wav").write_bytes(content)
    assert main(["run", "--config", str(config)]) == 1
    lines = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert len(lines) == 1 and str(tmp_path / "speech.wav") in lines[0]


def test_samples_that_are_no_numbers_end_the_agent(config: Path, tmp_path: Path, voice, caplog) -> None:
    samples = voice(1.0)
    samples[9_000:] = np.nan
    soundfile.write(tmp_path / "speech.wav", samples, 16_000, subtype="FLOAT")
    assert main(["run", "--config", str(config)]) == 1
    assert "sample 9000 is not a finite number" in caplog.text


def test_two_agents_do_not_share_a_folder(config: Path, recording: Path, capsys) -> None:
    from overtone_edge.core.config import load_config
    from overtone_edge.state.home import Home

    with Home(load_config(config)).locked():
        assert "is in use by a running agent" in refused(capsys, "run", "--config", config)


@pytest.mark.parametrize(("text", "value"), [("5s", 5.0), ("500ms", 0.5), ("2min", 120.0), ("1.5 s", 1.5)])
def test_durations(text: str, value: float) -> None:
    assert seconds(text) == value


@pytest.mark.parametrize("text", ["5", "0s", "s", "-1s", "11min", "5h", "1e3s"])
def test_durations_that_are_none(text: str) -> None:
    with pytest.raises(ControlError):
        seconds(text)
