"""The command line, against a real Mosquitto, with test doubles for evaluator and publisher."""

import json
import sys
import threading
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.support.model_doubles import FolderPublisher, TargetEvaluator, first_model

from overtone_cloud.aggregator.errors import StateError
from overtone_cloud.aggregator.state import Store
from overtone_cloud.broker.configuration import BrokerSettings, configure
from overtone_cloud.broker.mosquitto import Mosquitto
from overtone_cloud.cli import aggregator as cli

CONFIG = """
[aggregator]
fleet = "home"
linger_s = 0
[mqtt]
host = "localhost"
port = {port}
ca_file = "broker/clients/aggregator/ca.crt"
cert_file = "broker/clients/aggregator/client.crt"
key_file = "broker/clients/aggregator/client.key"
[model]
bundle = "first.bundle"
keys = "keys"
[evaluation]
corpus = "data"
test_speakers = ["1"]
"""


@pytest.fixture
def model_doubles(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Stand in for `overtone_cloud.aggregator.publisher`, which needs TensorFlow."""
    module: Any = types.ModuleType("overtone_cloud.aggregator.publisher")
    out = tmp_path / "releases"
    module.release_parts = lambda config: (TargetEvaluator(), FolderPublisher(out), first_model(out))
    monkeypatch.setitem(sys.modules, "overtone_cloud.aggregator.publisher", module)
    monkeypatch.setattr("signal.signal", lambda *_: None)


def write(folder: Path, port: int) -> str:
    path = folder / "aggregator.toml"
    path.write_text(CONFIG.format(port=port))
    return str(path)


@pytest.mark.broker
@pytest.mark.usefixtures("model_doubles")
def test_run_and_status(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    configure(tmp_path / "broker", BrokerSettings(host="localhost", fleet="home"), [])
    with Mosquitto(tmp_path / "broker") as broker:
        config = write(tmp_path, broker.port)
        assert cli.main(["run", "--config", config, "--rounds", "0", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert [row["version"] for row in report["releases"]] == [1] and report["rounds"] == []
    assert cli.main(["status", "--config", config]) == 0
    assert "RELEASES" in capsys.readouterr().out
    assert cli.main(["status", "--config", config, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["releases"] == report["releases"]


def test_what_is_wrong_is_one_line_and_a_bad_exit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["run", "--config", str(tmp_path / "none.toml")]) == 1
    assert cli.main(["status", "--config", write(tmp_path, 1883)]) == 1
    first, second = capsys.readouterr().err.strip().splitlines()
    assert first.startswith("overtone-aggregator: ") and "none.toml" in first
    assert "has not run with this configuration yet" in second
    assert not (tmp_path / "state").exists()


def test_the_client_identifier_is_made_once_and_cannot_be_guessed(tmp_path: Path) -> None:
    ids = []
    for folder in ("one", "one", "two"):
        store = Store(f"sqlite:///{tmp_path / folder / 'a.sqlite'}").create()
        ids.append(store.client_id())
        store.close()
    assert ids[0] == ids[1] != ids[2] and len(ids[0]) > 30


def test_a_database_address_that_cannot_be_is_named() -> None:
    with pytest.raises(StateError, match="database"):
        Store("nonsense")


class FullDisk(Store):
    """A store whose commits fail while `full` is set."""

    full = 0

    @contextmanager
    def begin(self) -> Iterator[Any]:
        with super().begin() as session:
            yield session
            if self.full > 0 and threading.current_thread() is threading.main_thread():
                self.full -= 1
                raise StateError("database or disk is full")


def test_a_full_disk_is_waited_for_and_nothing_is_acknowledged_meanwhile(
    make_rig: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = make_rig()
    store = FullDisk(rig.config.aggregator.database_url).create()
    monkeypatch.setattr(rig, "store", lambda: store)
    devices = [rig.device(f"pi-{i}", chunk_size=64) for i in range(3)]
    aggregator = rig.aggregator()
    store.full = 3
    monkeypatch.setattr(aggregator._stopping, "wait", lambda _: False)
    assert aggregator.run(rounds=1) == 1
    store.full = 0
    report = rig.status()
    assert report["rounds"][0]["accepted"] == 3
    assert all(not device.outbox and device.version == 2 for device in devices)
    store.close()
