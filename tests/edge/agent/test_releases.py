"""Releases reach the agent, and bad ones leave it as it was."""

import dataclasses
import time
from pathlib import Path

import pytest

from overtone_converters.signing import sign_bundle
from overtone_edge.agent import listening
from overtone_edge.agent.cli import main
from overtone_edge.core.config import load_config
from overtone_edge.core.errors import InstallError, StorageError
from overtone_edge.install import active_model, loading
from overtone_edge.install.quality import held_out_quality
from overtone_edge.state.home import Home
from overtone_models.bundle import read_bundle
from overtone_protocol import (
    Health,
)

NONE = '[source]\nkind = "none"\n[mqtt]\n'
STAYING = '[source]\nkind = "file"\npath = "speech.wav"\npaced = false\nat_end = "stay"\n'


@pytest.fixture
def patient_gate(fleet) -> bytes:
    """Bundle 2, signed, with a longer hangover than the pause of 600 ms that a user may have set."""
    bundle = read_bundle(fleet.payload(2))
    gate = dataclasses.replace(bundle.manifest.gate, hangover_ms=800)
    payload = dataclasses.replace(bundle, manifest=dataclasses.replace(bundle.manifest, gate=gate)).to_bytes()
    return sign_bundle(payload, name="tiny", version=2, keys=fleet.folder / "keys")


def test_a_release_is_fetched_installed_and_reported(make_config, fleet, broker, cloud, start) -> None:
    running = start(make_config(NONE))
    cloud.wait(lambda: cloud.presence("device-a"))
    assert cloud.presence("device-a").bundle is None
    for version in (1, 2):
        release = cloud.release(fleet.signed(version), version)
        cloud.wait(lambda wanted=version: len(cloud.health) == wanted)
        assert cloud.health[-1] == Health("device-a", release.bundle, version, "installed")
        cloud.wait(lambda wanted=version: cloud.presence("device-a").bundle_version == wanted)
    presence = cloud.presence("device-a")
    assert presence.online and presence.base == bytes.fromhex(read_bundle(fleet.payload(2)).base)
    assert running.ask(command="status")["status"]["previous_version"] == 1
    running.stop()
    assert not cloud.presence("device-a").online


def test_bad_releases_are_refused_and_the_old_bundle_stays(make_config, fleet, cloud, start) -> None:
    start(make_config(NONE))
    cloud.release(fleet.signed(2), 2)
    cloud.wait(lambda: len(cloud.health) == 1)
    changed = bytearray(fleet.signed(3))
    changed[-1000] ^= 1
    cloud.release(bytes(changed), 3)
    cloud.wait(lambda: len(cloud.health) == 2)
    assert cloud.health[1].state == "refused"
    # What a release says of its version is an announcement only: the signature tells that the file is an older one.
    cloud.release(fleet.signed(1), 4)
    cloud.wait(lambda: len(cloud.health) == 3)
    assert cloud.health[2].state == "refused" and "not to be trusted" in cloud.health[2].detail
    assert cloud.presence("device-a").bundle_version == 2


def test_a_bundle_that_fails_at_the_start_is_rolled_back(labelled: Path, fleet, cloud, start, monkeypatch) -> None:
    home = Home(load_config(labelled))
    home.slots.activate(home.slots.stage(fleet.signed(2), fleet.payload(2), 2))

    def fails(bundle) -> None:
        if bundle.manifest.version == 2:
            raise InstallError("self-test failed: the golden clip's probabilities differ")

    monkeypatch.setattr(loading, "self_test", fails)
    start(labelled)
    cloud.wait(lambda: cloud.health)
    assert (cloud.health[0].state, cloud.health[0].version) == ("rolled-back", 2)
    cloud.wait(lambda: cloud.presence("device-a"))
    assert cloud.presence("device-a").bundle_version == 1


def test_a_bundle_that_ends_the_agent_again_and_again_is_rolled_back(labelled: Path, fleet, cloud, start) -> None:
    home = Home(load_config(labelled))
    home.slots.activate(home.slots.stage(fleet.signed(2), fleet.payload(2), 2))
    for _ in range(3):
        assert Home(load_config(labelled)).slots.starting()
    start(labelled)
    cloud.wait(lambda: cloud.health)
    assert cloud.health[0].state == "rolled-back" and "ended the agent 3 times" in cloud.health[0].detail


def test_a_bundle_that_the_user_s_gate_does_not_fit_is_refused_once(
    make_config, fleet, patient_gate: bytes, recording: Path, cloud, start, monkeypatch
) -> None:
    monkeypatch.setattr(active_model, "CONFIRM_AFTER_S", 0.5)
    path = make_config(STAYING + "[gate]\npause_ms = 600\n[mqtt]\n")
    assert main(["install", str(fleet.path(1)), "--config", str(path)]) == 0
    running = start(path)
    cloud.wait(lambda: cloud.presence("device-a"))
    cloud.release(patient_gate, 2)
    cloud.wait(lambda: cloud.health)
    time.sleep(2.0)
    (report,) = cloud.health
    assert report.state == "refused"
    assert "[gate] does not fit version 2: gate: pause_ms is 600" in report.detail
    assert running.ask(command="status")["status"]["bundle"]["version"] == 1
    assert running.stop() == 0
    state = Home(load_config(path)).slots.state
    assert state.current is not None and (state.current.version, state.confirmed) == (1, True)


def test_a_gate_that_does_not_fit_a_proven_bundle_is_the_user_s_mistake(
    make_config, patient_gate: bytes, recording: Path, tmp_path: Path, capsys
) -> None:
    (tmp_path / "patient").write_bytes(patient_gate)
    path = make_config(STAYING)
    assert main(["install", str(tmp_path / "patient"), "--config", str(path)]) == 0
    path = make_config(STAYING + "[gate]\npause_ms = 600\n")
    assert main(["run", "--config", str(path)]) == 1
    assert "[gate] does not fit version 2: gate: pause_ms is 600" in capsys.readouterr().err.splitlines()[-1]
    assert Home(load_config(path)).slots.state.current is not None


def test_a_bundle_that_cannot_be_used_stays_on_trial(make_config, fleet, recording, cloud, start, monkeypatch) -> None:
    path = make_config(STAYING + "[mqtt]\n")
    assert main(["install", str(fleet.path(1)), "--config", str(path)]) == 0
    running = start(path)
    cloud.wait(lambda: cloud.presence("device-a"))

    def fails(*_arguments: object, **_values: object) -> None:
        raise InstallError("it cannot be listened with")

    monkeypatch.setattr(listening, "Hearing", fails)
    cloud.release(fleet.signed(2), 2)
    cloud.wait(lambda: cloud.health)
    assert (cloud.health[0].state, cloud.health[0].detail) == ("refused", "it cannot be listened with")
    running.stop()
    assert not Home(load_config(path)).slots.state.confirmed


def test_what_goes_wrong_with_the_device_is_tried_again(make_config, fleet, cloud, start) -> None:
    running = start(make_config(NONE))
    cloud.wait(lambda: cloud.presence("device-a"))
    slots, failures = running.agent.home.slots, [StorageError("slots.json: No space left on device")]
    activate = slots.activate

    def full(slot) -> None:
        if failures:
            raise failures.pop()
        activate(slot)

    slots.activate = full
    cloud.release(fleet.signed(1), 1)
    jobs = running.agent._jobs
    cloud.wait(lambda: jobs.running("install"))
    with jobs._lock:
        jobs._running["install"].process.kill()
    cloud.wait(lambda: cloud.health)
    assert [(report.state, report.version) for report in cloud.health] == [("installed", 1)]
    assert failures == []


def test_erasing_lets_an_installation_go_on(make_config, fleet, cloud, start) -> None:
    running = start(make_config(NONE))
    cloud.wait(lambda: cloud.presence("device-a"))
    cloud.release(fleet.signed(1), 1)
    cloud.wait(lambda: running.agent._jobs.running("install"))
    running.ask(command="erase")
    cloud.wait(lambda: cloud.health)
    assert cloud.health[0].state == "installed"


def test_a_release_that_comes_during_an_installation_is_installed_next(make_config, fleet, cloud, start) -> None:
    running = start(make_config(NONE))
    cloud.wait(lambda: cloud.presence("device-a"))
    cloud.release(fleet.signed(1), 1)
    cloud.wait(lambda: running.agent._jobs.running("install"))
    cloud.release(fleet.signed(2), 2)
    cloud.wait(lambda: len(cloud.health) == 2)
    assert [(report.state, report.version) for report in cloud.health] == [("installed", 1), ("installed", 2)]
    assert list(running.agent.home.incoming.glob("*.bundle")) == []


def test_an_older_release_is_not_fetched(make_config, fleet, cloud, start) -> None:
    path = make_config(NONE)
    assert main(["install", str(fleet.path(2)), "--config", str(path)]) == 0
    start(path)
    cloud.wait(lambda: cloud.presence("device-a"))
    cloud.files.clear()
    cloud.release(fleet.signed(1), 1)
    cloud.wait(lambda: cloud.health)
    assert cloud.health[0].detail == "version 1 is older than the installed 2"


def test_a_trial_that_cannot_be_ended_holds_nothing_up_and_is_named_once(
    make_config, fleet, cloud, start, monkeypatch, caplog
) -> None:
    monkeypatch.setattr(active_model, "CONFIRM_AFTER_S", 0.0)
    path = make_config(NONE)
    assert main(["install", str(fleet.path(1)), "--config", str(path)]) == 0
    running = start(path)

    def full() -> None:
        raise StorageError("slots.json: No space left on device")

    running.agent.home.slots.confirm = full
    cloud.wait(lambda: "No space left" in caplog.text)
    cloud.release(fleet.signed(2), 2)  # it is installed by what comes round with every tick
    cloud.wait(lambda: cloud.health)
    time.sleep(1.2)
    assert caplog.text.count("slots.json: No space left") == 1


def test_a_release_is_reported_with_its_quality_on_held_out_utterances(labelled: Path, fleet, cloud, start) -> None:
    running = start(labelled)
    cloud.wait(lambda: cloud.presence("device-a"))
    held_out = cloud.presence("device-a").held_out
    assert held_out > 0
    release = cloud.release(fleet.signed(2), 2)
    cloud.wait(lambda: cloud.health)
    (report,) = cloud.health
    bundle, store = read_bundle(fleet.payload(2)), running.agent.home.store
    quality = held_out_quality(bundle, store)
    assert quality is not None and quality.held_out == held_out
    assert report == Health(
        "device-a", release.bundle, 2, "installed", held_out=held_out, uar=quality.uar, loss=quality.loss
    )
    shown = running.ask(command="status")["status"]["bundle"]["quality"]
    assert shown == {"held_out": held_out, "uar": quality.uar, "loss": quality.loss}
    running.ask(command="erase")
    assert running.ask(command="status")["status"]["bundle"]["quality"] is None
    assert not any("quality" in str(path) for path in running.agent.home.folder.rglob("*"))


def test_a_device_that_takes_no_part_in_rounds_reports_no_quality(labelled: Path, fleet, cloud, start) -> None:
    labelled.write_text(labelled.read_text() + "[learning]\nfederated = false\n")
    running = start(labelled)
    cloud.wait(lambda: cloud.presence("device-a"))
    release = cloud.release(fleet.signed(2), 2)
    cloud.wait(lambda: cloud.health)
    assert cloud.health == [Health("device-a", release.bundle, 2, "installed")]
    assert running.ask(command="status")["status"]["bundle"]["quality"]["held_out"] > 0


def test_what_is_erased_during_an_installation_leaves_no_quality(labelled: Path, fleet, cloud, start) -> None:
    running = start(labelled)
    cloud.wait(lambda: cloud.presence("device-a"))
    cloud.release(fleet.signed(2), 2)
    cloud.wait(lambda: running.agent._jobs.running("install"))
    running.ask(command="erase")
    cloud.wait(lambda: cloud.health)
    assert (cloud.health[0].state, cloud.health[0].held_out) == ("installed", None)
    assert running.ask(command="status")["status"]["bundle"]["quality"] is None


def test_installing_by_hand_shows_the_quality(labelled: Path, fleet, capsys) -> None:
    capsys.readouterr()
    assert main(["install", str(fleet.path(2)), "--config", str(labelled)]) == 0
    installed, quality = capsys.readouterr().out.splitlines()
    assert installed == "installed tiny version 2"
    expected = held_out_quality(read_bundle(fleet.payload(2)), Home(load_config(labelled)).store)
    assert expected is not None
    assert quality == (
        f"UAR {expected.uar:.3f}, loss {expected.loss:.3f} on {expected.held_out} labelled utterance(s) of this device "
        "that are held out of training"
    )
    killed = Home(load_config(labelled)).jobs / "install"
    killed.mkdir(parents=True)
    assert main(["erase", "--yes", "--config", str(labelled)]) == 0
    assert list(Home(load_config(labelled)).folder.rglob("quality.json")) == [] and not killed.exists()
