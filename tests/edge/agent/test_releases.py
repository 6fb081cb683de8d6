"""Releases reach the agent, and bad ones leave it as it was."""

from pathlib import Path

from overtone_edge import loading
from overtone_edge.config import load_config
from overtone_edge.errors import InstallError
from overtone_edge.home import Home
from overtone_models.bundle import read_bundle
from overtone_protocol import (
    Health,
)

NONE = '[source]\nkind = "none"\n[mqtt]\n'


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
    cloud.release(fleet.signed(1), 1)
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
