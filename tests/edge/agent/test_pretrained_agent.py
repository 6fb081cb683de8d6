"""A running agent with a pretrained model: to its fleet it has none, and the fleet's own takes its place."""

from pathlib import Path

import pytest

from overtone_edge.core.errors import ControlError

STAYING = '[source]\nkind = "file"\npath = "speech.wav"\npaced = false\nat_end = "stay"\n'


def test_the_fleets_release_takes_its_place(
    make_config, shipped: Path, recording: Path, fleet, broker, cloud, start
) -> None:
    running = start(make_config(STAYING + "[mqtt]\n"))
    status = running.ask(command="status")["status"]
    assert (status["bundle"]["installed"], status["bundle"]["version"]) == (False, 1)
    cloud.wait(lambda: cloud.presence("device-a"))
    presence = cloud.presence("device-a")
    assert (presence.bundle, presence.base, presence.bundle_version) == (None, None, 0)
    cloud.release(fleet.signed(2), 2)
    cloud.wait(lambda: cloud.health)
    assert (cloud.health[0].state, cloud.health[0].version) == ("installed", 2)
    assert running.ask(command="status")["status"]["bundle"]["installed"] is True


def test_what_is_not_signed_is_refused_though_a_pretrained_one_is_not_either(
    make_config, shipped: Path, recording: Path, fleet, broker, cloud, start
) -> None:
    running = start(make_config(STAYING + "[mqtt]\n"))
    cloud.wait(lambda: cloud.presence("device-a"))
    cloud.release(fleet.payload(1), 1)
    cloud.wait(lambda: cloud.health)
    assert cloud.health[0].state == "refused"
    assert running.ask(command="status")["status"]["bundle"]["installed"] is False


def test_a_lost_one_is_one_line_while_the_fleet_may_bring_another(
    make_config, recording: Path, fleet, broker, cloud, start, caplog
) -> None:
    running = start(make_config(STAYING + "[mqtt]\n"))
    cloud.wait(lambda: cloud.presence("device-a"))
    assert running.ask(command="status")["status"]["bundle"] is None
    lines = [r.getMessage() for r in caplog.records if "pretrained" in r.getMessage()]
    assert lines == [
        "nothing listens until a bundle is installed: "
        "there is no pretrained model 'medium'; none came with this software"
    ]
    cloud.release(fleet.signed(1), 1)
    cloud.wait(lambda: cloud.health)
    assert cloud.health[0].state == "installed"


def test_a_device_that_only_federates_waits_for_the_fleets_model(make_config, shipped: Path, cloud, start) -> None:
    running = start(make_config('[source]\nkind = "none"\n[mqtt]\n'))
    assert running.ask(command="status")["status"]["bundle"] is None


def test_a_name_that_is_none_is_refused_over_the_control_socket(
    make_config, shipped: Path, recording: Path, start
) -> None:
    running = start(make_config(STAYING), connected=False)
    for name in ("nothing", "../medium", str(shipped / "medium")):
        with pytest.raises(ControlError, match="no pretrained model"):
            running.ask(command="install", pretrained=name)
    assert running.ask(command="status")["status"]["bundle"]["version"] == 1
