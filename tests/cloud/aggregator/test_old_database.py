"""A database of an earlier version is taken up where it ended."""

from pathlib import Path

import pytest
from tests.support.old_versions import unpack


def test_rounds_go_on_from_a_database_of_0_1_0(make_rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unpack("0.1.0", "aggregator", tmp_path)
    monkeypatch.chdir(tmp_path)
    rig = make_rig()
    devices = [rig.device(f"pi-{i}", chunk_size=64) for i in range(3)]
    assert rig.aggregator().run(rounds=1) == 1
    report = rig.status()
    assert [row["number"] for row in report["rounds"]] == [1, 2, 3]
    assert report["rounds"][-1]["accepted"] == 3
    assert all(device.version == 4 for device in devices)
