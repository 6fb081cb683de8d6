"""Killed at random instants and started again, against a real Mosquitto: nothing acknowledged is lost."""

import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from tests.support.model_doubles import first_model, read_weights_bundle, small_layout
from tests.support.scripted_device import ScriptedDevice

from overtone_cloud.aggregator.averaging import F32, average
from overtone_cloud.aggregator.server_optimizers import ServerSgd
from overtone_cloud.aggregator.state import Store
from overtone_cloud.aggregator.status import status
from overtone_cloud.broker.configuration import BrokerSettings, configure
from overtone_cloud.broker.mosquitto import Mosquitto
from overtone_protocol import RoundCall

REPOSITORY = Path(__file__).parents[3]
RUN_TWIN = "tests.cloud.aggregator.run_aggregator"
NAMES = ("pi-0", "pi-1", "pi-2")
ROUNDS = 6
PATIENCE_S = 480.0
"""Room for a machine that is busy with other work."""


class Node:
    """A scripted device with the tests' own MQTT client and its own lock."""

    def __init__(self, name: str, broker: Mosquitto, folder: Path) -> None:
        initial = first_model(folder / "mirror", layout=small_layout(1900, 100))
        self.deltas: dict[int, F32] = {}
        self.lock = threading.RLock()
        self.device = ScriptedDevice(
            name,
            lambda topic, payload, retain: self.client.publish(topic, payload, qos=1, retain=retain) and None,
            fleet="home",
            model=initial.key,
            read_bundle=read_weights_bundle,
            weights=initial.weights,
            train=self.train,
            examples=3 + len(name) * NAMES.index(name),
            chunk_size=200,
        )
        files = broker.directory / "clients" / name
        self.client = Client(CallbackAPIVersion.VERSION2, client_id=f"{name}-x", protocol=MQTTProtocolVersion.MQTTv5)
        self.client.tls_set(str(files / "ca.crt"), str(files / "client.crt"), str(files / "client.key"))
        self.client.on_connect = self.connected
        self.client.on_message = self.arrived
        expiry = Properties(PacketTypes.CONNECT)
        expiry.SessionExpiryInterval = 600
        self.client.connect("localhost", broker.port, clean_start=False, properties=expiry)
        self.client.loop_start()

    def connected(self, client: Client, *_: Any) -> None:
        client.subscribe([(topic, 1) for topic in self.device.subscriptions])
        with self.lock:
            self.device.connected()

    def arrived(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        with self.lock:
            self.device.receive(message.payload)

    def train(self, call: RoundCall, weights: F32) -> F32:
        noise = np.random.default_rng(call.round * 10 + NAMES.index(self.device.device))
        self.deltas[call.round] = noise.normal(scale=0.1, size=weights.size).astype(np.float32)
        return self.deltas[call.round]

    def offer_again(self) -> None:
        with self.lock:
            self.device.offer_again()


@contextmanager
def running(folder: Path, broker: Mosquitto) -> Iterator[subprocess.Popen[str]]:
    """Start the aggregator, wait until it says that it is ready, and kill it in the end."""
    with (folder / "aggregator.log").open("a") as log:
        child = subprocess.Popen(
            [
                sys.executable,
                "-m",
                RUN_TWIN,
                str(folder),
                str(broker.directory),
                str(broker.port),
            ],
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    assert child.stdout is not None
    try:
        assert child.stdout.readline() == "ready\n", (folder / "aggregator.log").read_text()[-2000:]
        yield child
    finally:
        child.kill()
        child.wait()
        child.stdout.close()


def read_status(folder: Path) -> dict[str, Any]:
    store = Store(f"sqlite:///{folder / 'state' / 'aggregator.sqlite'}")
    try:
        with store.begin() as session:
            return status(session)
    finally:
        store.close()


def ended(folder: Path) -> int:
    return sum(row["phase"] == "ended" for row in read_status(folder)["rounds"])


@pytest.mark.broker
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", [1, *(pytest.param(n, marks=pytest.mark.slow) for n in range(2, 8))])
def test_killed_at_random_instants_it_goes_on_with_the_round(tmp_path: Path, seed: int) -> None:
    configure(tmp_path / "broker", BrokerSettings(host="localhost", fleet="home"), NAMES)
    chance = random.Random(seed)
    with Mosquitto(tmp_path / "broker") as broker:
        nodes = [Node(name, broker, tmp_path) for name in NAMES]
        end = time.monotonic() + PATIENCE_S
        kills = 0
        while time.monotonic() < end and (kills < 8 or ended(tmp_path) < ROUNDS):
            with running(tmp_path, broker):
                # Short lives first; longer ones when they were too short to get anywhere.
                time.sleep(chance.uniform(0.05, 0.9 + 0.1 * kills))
            kills += 1
            for node in nodes:
                node.offer_again()
        with running(tmp_path, broker):
            while time.monotonic() < end and any(node.device.outbox for node in nodes):
                time.sleep(0.5)
                for node in nodes:
                    node.offer_again()
        for node in nodes:
            node.client.disconnect()
            node.client.loop_stop()
    report = read_status(tmp_path)
    check_ledger(report, nodes)
    check_weights(report, nodes, tmp_path)


def check_ledger(report: dict[str, Any], nodes: list[Node]) -> None:
    """Every receipt that said `accepted` stands in the ledger, and every update stands there once."""
    keys = [(row["round"], row["device"]) for row in report["updates"]]
    assert len(keys) == len(set(keys))
    for node in nodes:
        accepted = {r.transfer for r in node.device.receipts if r.status in ("accepted", "duplicate")}
        assert len(accepted) <= sum(device == node.device.device for _, device in keys)
        assert not [r for r in node.device.receipts if r.status == "refused"], node.device.receipts
    numbers = [row["number"] for row in report["rounds"]]
    assert numbers == list(range(1, len(numbers) + 1)) and len(numbers) >= ROUNDS
    assert sum(row["phase"] != "ended" for row in report["rounds"]) <= 1


def check_weights(report: dict[str, Any], nodes: list[Node], folder: Path) -> None:
    """Every release is what the ledger's updates, as the devices computed them, make of the one before."""
    examples = {node.device.device: node.device.examples for node in nodes}
    deltas = {node.device.device: node.deltas for node in nodes}
    weights = first_model(folder / "mirror", layout=small_layout(1900, 100)).weights
    optimizer, velocity = ServerSgd(learning_rate=0.5, momentum=0.5), None
    for release in report["releases"][1:]:
        members = sorted(row["device"] for row in report["updates"] if row["round"] == release["round"])
        assert members == list(NAMES)
        mean = average([deltas[m][release["round"]] for m in members], [examples[m] for m in members])
        weights, velocity = optimizer.apply(weights, mean, velocity)
        published = read_weights_bundle(Path(release["path"]).read_bytes())
        np.testing.assert_allclose(published, weights, atol=1e-5)
    assert len(report["releases"]) > ROUNDS // 2
