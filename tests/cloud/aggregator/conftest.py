"""Fixtures: a whole aggregator on the loopback broker, with scripted devices."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.support.loopback import LoopbackBroker
from tests.support.model_doubles import FolderPublisher, TargetEvaluator, first_model, read_weights_bundle, small_layout
from tests.support.scripted_device import ScriptedDevice

from overtone_cloud.aggregator.aggregator import Aggregator
from overtone_cloud.aggregator.config import (
    AggregatorConfig,
    EvaluationConfig,
    FleetConfig,
    ModelConfig,
    MqttConfig,
    ServerConfig,
)
from overtone_cloud.aggregator.gatekeeper import Gatekeeper
from overtone_cloud.aggregator.rounds import RoundConfig
from overtone_cloud.aggregator.state import Store
from overtone_cloud.aggregator.status import status
from overtone_common.link import Delivery, Will
from overtone_protocol import RoundCall

FLEET = "home"


def move_to_zero(call: RoundCall, weights: np.ndarray) -> np.ndarray:
    """A training that always helps `TargetEvaluator`, different in every round."""
    part = small_layout().scope_slice(call.scope)
    share = np.random.default_rng(call.seed).uniform(0.1, 0.3)
    return (-share * weights[part]).astype(np.float32)


@dataclass
class Rig:
    """An aggregator that has not started, its broker and its parts."""

    folder: Path
    config: AggregatorConfig
    evaluator: TargetEvaluator
    publisher: FolderPublisher
    broker: LoopbackBroker = field(default_factory=LoopbackBroker)
    clock: Callable[[], float] | None = None
    stores: list[Store] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.initial = first_model(self.folder / "releases")

    def store(self) -> Store:
        store = Store(self.config.aggregator.database_url).create()
        self.stores.append(store)
        return store

    def aggregator(self, **changes: Any) -> Aggregator:
        gatekeeper = Gatekeeper(
            self.evaluator, self.publisher, margin=self.config.evaluation.margin, server=self.config.server
        )
        return Aggregator(
            self.config,
            store=self.store(),
            link=self.broker.link("the-aggregator"),
            gatekeeper=gatekeeper,
            initial=self.initial,
            clock=self.clock,
            tick_s=0.01,
            **changes,
        )

    def device(self, name: str, *, train: Any = move_to_zero, examples: int = 10, **changes: Any) -> ScriptedDevice:
        """Connect a scripted device; its subscription is acknowledged as messages are taken in."""
        client: Any = None

        def send(topic: str, payload: bytes, retain: bool) -> None:
            client.publish(topic, payload, retain=retain)

        def receive(delivery: Delivery) -> None:
            device.receive(delivery.payload)
            delivery.acknowledge()

        device = ScriptedDevice(
            name,
            send,
            fleet=FLEET,
            model=self.initial.key,
            read_bundle=read_weights_bundle,
            weights=self.initial.weights,
            train=train,
            examples=examples,
            **changes,
        )
        client = self.broker.link(name, will=Will(device.topics.presence(name), device.presence(online=False)))
        client.open(device.subscriptions, receive)
        device.connected()
        return device

    def close(self) -> None:
        """Let go of the state, as the end of a process does."""
        for store in self.stores:
            store.close()

    def status(self) -> dict[str, Any]:
        with self.store().begin() as session:
            return status(session)


def make_config(folder: Path, *, server: ServerConfig | None = None, **round_changes: Any) -> AggregatorConfig:
    settings: dict[str, Any] = {
        "scope": "full",
        "min_devices": 3,
        "max_devices": 3,
        "quorum": 3,
        "deadline_s": 30.0,
        "reply_deadline_s": 20.0,
        "gather_s": 0.0,
        "failed_pause_s": 0.0,
    }
    return AggregatorConfig(
        aggregator=FleetConfig(fleet=FLEET, state_dir=folder / "state", linger_s=10.0),
        mqtt=MqttConfig(host="127.0.0.1"),
        model=ModelConfig(bundle=folder / "b", keys=folder / "k", out=folder / "releases"),
        evaluation=EvaluationConfig(corpus=folder, test_speakers=("a",)),
        server=server or ServerConfig(),
        round=RoundConfig(**(settings | round_changes)),
    )


@pytest.fixture
def make_rig(tmp_path: Path) -> Iterator[Callable[..., Rig]]:
    """Return a function that makes a rig; keywords change the round's configuration."""
    rigs: list[Rig] = []

    def make(*, server: ServerConfig | None = None, folder: Path = tmp_path, **round_changes: Any) -> Rig:
        config = make_config(folder, server=server, **round_changes)
        rig = Rig(folder, config, TargetEvaluator(), FolderPublisher(folder / "releases"))
        rigs.append(rig)
        return rig

    yield make
    for rig in rigs:
        rig.close()
