"""What version 0.1.0 wrote still loads and does its work: state folders, bundles, configurations, databases, runs."""

import json
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.bundles import differences
from tests.support.old_versions import changed_values, unpack

from overtone_cloud.aggregator.config import load_config as load_aggregator_config
from overtone_edge.agent.cli import main as agent
from overtone_edge.core.config import load_config
from overtone_edge.hearing.streaming import golden_difference
from overtone_models.bundle import read_bundle
from overtone_protocol import decode_update

VERSION = "0.1.0"
ROUNDING = 1e-3


@pytest.fixture
def device(tmp_path: Path) -> Path:
    """A device with bundles 1 and 2, eight examples, a personal head, and one update that waits for its receipt."""
    return unpack(VERSION, "device", tmp_path, "agent.toml", "agent-mqtt.toml")


def run(folder: Path, capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """Run the agent's command line in a folder and return its standard output."""
    capsys.readouterr()
    assert agent([*words, "--config", str(folder / "agent.toml")]) == 0
    return capsys.readouterr().out


def test_the_state_folder_has_the_same_status(device: Path, capsys) -> None:
    stored = json.loads((device / "status.json").read_text())
    status = json.loads(run(device, capsys, "status", "--json"))
    assert changed_values(stored, status) == []
    assert (status["examples"], status["outbox"], status["previous_version"]) == (6, 1, 1)


def test_the_agent_decides_as_it_did(device: Path, capsys) -> None:
    """The installed bundle with the personal head, on the same recording."""
    stored = [json.loads(line) for line in (device / "events.jsonl").read_text().splitlines()]
    events = [json.loads(line) for line in run(device, capsys, "run").splitlines()]
    assert len(events) == len(stored) == 4
    for event, before in zip(events, stored, strict=True):
        probabilities = before.pop("probabilities")
        assert event["probabilities"] == pytest.approx(probabilities, abs=ROUNDING)
        del before["time_s"], before["confidence"]
        assert {key: event[key] for key in before} == before


def test_the_examples_make_a_personal_head(device: Path, capsys) -> None:
    (device / "state" / "personal" / "head.npz").unlink()
    assert "8 of 8 examples" in run(device, capsys, "personalise")
    personal = json.loads(run(device, capsys, "status", "--json"))["personal"]
    stored = json.loads((device / "status.json").read_text())["personal"]
    for name in ("kept", "examples", "judged", "uar_before", "uar_after"):
        assert personal[name] == stored[name]
    assert personal["loss_after"] == pytest.approx(stored["loss_after"], abs=ROUNDING)


def test_the_waiting_update_is_one_of_today(device: Path) -> None:
    (path,) = (device / "state" / "outbox").iterdir()
    update = decode_update(path.read_bytes())
    assert update.round_id == b"1" * 16
    assert (update.scope, update.steps, update.examples) == ("head", 10, 6)
    assert update.base == bytes.fromhex(json.loads((device / "status.json").read_text())["bundle"]["base"])
    assert np.isfinite(update.delta).all() and np.abs(update.delta).max() > 0


@pytest.mark.parametrize("slot", ["a", "b"])
def test_the_installed_bundles_give_their_golden_answers(device: Path, slot: str) -> None:
    bundle = read_bundle((device / "state" / "slots" / slot / "payload.zip").read_bytes())
    assert golden_difference(bundle) < ROUNDING


@pytest.mark.parametrize("name", ["agent.toml", "agent-mqtt.toml"])
def test_each_key_of_the_agents_configuration_means_what_it_did(device: Path, name: str) -> None:
    for certificate in ("ca.crt", "client.crt", "client.key"):
        (device / certificate).touch()
    check_values(load_config(device / name), device / name)


def test_each_key_of_the_aggregators_configuration_means_what_it_did(tmp_path: Path) -> None:
    path = unpack(VERSION, "aggregator", tmp_path, "aggregator.toml") / "aggregator.toml"
    check_values(load_aggregator_config(path), path)


def check_values(config: Any, path: Path) -> None:
    """Compare each value of a TOML file with the configuration's attribute; paths lie beside the file."""
    for section, table in tomllib.loads(path.read_text()).items():
        for key, value in table.items():
            loaded = getattr(getattr(config, section), key)
            expected = tuple(value) if isinstance(value, list) else value
            assert loaded == (path.parent / value if isinstance(loaded, Path) else expected), f"[{section}] {key}"


def test_the_aggregators_database_tells_the_same(tmp_path: Path, capsys) -> None:
    from overtone_cloud.cli.aggregator import main

    folder = unpack(VERSION, "aggregator", tmp_path, "aggregator.toml")
    assert main(["status", "--config", str(folder / "aggregator.toml"), "--json"]) == 0
    status, stored = json.loads(capsys.readouterr().out), json.loads((folder / "status.json").read_text())
    assert changed_values(stored, status) == []
    assert [row["version"] for row in status["releases"]] == [1, 2, 3]


def test_a_run_converts_to_the_same_bundle(tmp_path: Path, overtone) -> None:
    folder = unpack(VERSION, "run", tmp_path)
    words = ("--corpus", folder / "corpus", "--cache", folder / "cache", "--out", folder / "today.bundle")
    status, _, err = overtone("convert", folder / "run", *words)
    assert status == 0, err
    stored = read_bundle((folder / "run.bundle").read_bytes())
    assert golden_difference(stored) < ROUNDING
    today = read_bundle((folder / "today.bundle").read_bytes())
    today = replace(today, manifest=replace(today.manifest, created=stored.manifest.created))
    assert list(differences({"run": stored.to_bytes()}, {"run": today.to_bytes()})) == []
