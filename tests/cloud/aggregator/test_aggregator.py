"""Whole rounds on the loopback broker: scripted devices, real state, real loop."""

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select
from tests.support.model_doubles import TargetEvaluator, read_weights_bundle, small_layout

from overtone_cloud.aggregator.config import ServerConfig
from overtone_cloud.aggregator.errors import StateError
from overtone_cloud.aggregator.gatekeeper import Evaluation
from overtone_cloud.aggregator.state import ChunkRow, UpdateRow
from overtone_protocol import Release, RoundCall, decode


def released(rig: Any) -> Release:
    message = decode(rig.broker.retained["overtone/1/home/all/release"])
    assert isinstance(message, Release)
    return message


def test_three_rounds_reach_every_device(make_rig: Callable[..., Any]) -> None:
    rig = make_rig()
    devices = [rig.device(f"pi-{i}") for i in range(3)]
    assert rig.aggregator().run(rounds=3) == 3
    report = rig.status()
    assert [row["outcome"] for row in report["rounds"]] == ["kept"] * 3
    assert [row["accepted"] for row in report["rounds"]] == [3] * 3
    assert [row["version"] for row in report["releases"]] == [1, 2, 3, 4]
    assert all(row["uar_after"] > row["uar_before"] for row in report["rounds"])
    assert all(row["bytes_up"] > 0 and row["bytes_down"] > 0 for row in report["rounds"])
    for device in devices:
        assert device.version == 4 and not device.outbox
        assert {receipt.status for receipt in device.receipts} == {"accepted"}
    assert [row["health"] for row in report["devices"]] == ["installed"] * 3


@pytest.mark.parametrize("scope", ["full", "head"])
def test_published_weights_equal_plain_federated_averaging(make_rig: Callable[..., Any], scope: str) -> None:
    rig = make_rig(scope=scope, server=ServerConfig(learning_rate=0.7))
    part = small_layout().scope_slice(scope)
    deltas: dict[str, np.ndarray] = {}
    examples = {"pi-0": 3, "pi-1": 50, "pi-2": 11}

    def training(name: str) -> Callable[[RoundCall, np.ndarray], np.ndarray]:
        def train(call: RoundCall, weights: np.ndarray) -> np.ndarray:
            rng = np.random.default_rng(len(name) + examples[name])
            deltas[name] = (-0.3 * weights[part] + rng.normal(scale=0.01, size=part.stop - part.start)).astype(
                np.float32
            )
            return deltas[name]

        return train

    for name, count in examples.items():
        rig.device(name, train=training(name), examples=count)
    rig.aggregator().run(rounds=1)
    expected = rig.initial.weights.copy()
    total = sum(examples.values())
    expected[part] += 0.7 * sum(examples[name] / total * deltas[name] for name in examples)
    weights = read_weights_bundle((rig.folder / "releases" / "weights-2.bundle").read_bytes())
    assert float(np.max(np.abs(weights - expected))) < 1e-5
    assert released(rig).version == 2


def test_a_worse_model_is_not_kept(make_rig: Callable[..., Any]) -> None:
    rig = make_rig()
    devices = [rig.device(f"pi-{i}", train=lambda _, weights: weights) for i in range(3)]
    rig.aggregator().run(rounds=2)
    report = rig.status()
    assert [row["outcome"] for row in report["rounds"]] == ["not-kept"] * 2
    assert "is below" in report["rounds"][0]["reason"]
    assert released(rig).version == 1
    assert {receipt.status for device in devices for receipt in device.receipts} == {"accepted"}


def test_a_publisher_that_fails_ends_the_round_and_keeps_the_base(make_rig: Callable[..., Any]) -> None:
    rig = make_rig()
    rig.publisher.broken = "no key to sign with"
    for i in range(3):
        rig.device(f"pi-{i}")
    rig.aggregator().run(rounds=1)
    (row,) = rig.status()["rounds"]
    assert (row["outcome"], row["reason"]) == ("failed", "no key to sign with")
    assert released(rig).version == 1


def test_an_unforeseen_error_fails_the_round_and_not_the_aggregator(make_rig: Callable[..., Any]) -> None:
    class Exhausted(TargetEvaluator):
        def evaluate(self, weights: np.ndarray) -> Evaluation:
            if not self.evaluated:
                self.evaluated.append(weights)
                raise MemoryError("unable to allocate 3 GiB")
            return super().evaluate(weights)

    rig = make_rig()
    rig.evaluator = Exhausted()
    for i in range(3):
        rig.device(f"pi-{i}")
    assert rig.aggregator().run(rounds=2) == 2
    last, first = sorted(rig.status()["rounds"], key=lambda row: row["outcome"] == "failed")
    assert (first["outcome"], first["reason"]) == ("failed", "MemoryError: unable to allocate 3 GiB")
    assert last["outcome"] == "kept"


def test_a_round_without_updates_fails_at_its_deadline(make_rig: Callable[..., Any]) -> None:
    times = iter(float(n) for n in range(10**6))
    rig = make_rig(deadline_s=30.0, reply_deadline_s=10.0)
    rig.config = replace(rig.config, aggregator=replace(rig.config.aggregator, linger_s=0.0))
    rig.clock = lambda: next(times)
    for i in range(3):
        device = rig.device(f"pi-{i}")
        device.receive = lambda payload: None
    rig.aggregator().run(rounds=1)
    (row,) = rig.status()["rounds"]
    assert row["outcome"] == "failed" and "at least 3 are needed" in row["reason"]
    assert row["replied"] == 0 and row["selected"] == 3


def test_single_updates_are_erased_when_their_round_has_ended(make_rig: Callable[..., Any]) -> None:
    rig = make_rig()
    for i in range(3):
        rig.device(f"pi-{i}")
    rig.aggregator().run(rounds=1)
    with rig.store().begin() as session:
        assert [row.delta for row in session.scalars(select(UpdateRow))] == [b""] * 3
        assert session.scalars(select(ChunkRow)).all() == []


def test_a_large_update_travels_in_chunks_in_any_order(make_rig: Callable[..., Any]) -> None:
    rig = make_rig()
    devices = [rig.device(f"pi-{i}", chunk_size=64) for i in range(3)]
    rig.aggregator().run(rounds=1)
    assert rig.status()["rounds"][0]["accepted"] == 3
    assert all(not device.outbox for device in devices)


def test_stops_when_told(make_rig: Callable[..., Any]) -> None:
    rig = make_rig()
    aggregator = rig.aggregator()
    thread = threading.Thread(target=aggregator.run)
    thread.start()
    aggregator.stop()
    thread.join(timeout=20)
    assert not thread.is_alive()


def test_a_second_aggregator_on_the_same_state_is_refused(make_rig: Callable[..., Any]) -> None:
    rig = make_rig()
    rig.store().lock()
    with pytest.raises(StateError, match="another aggregator uses this state"):
        rig.aggregator().run(rounds=0)


def test_a_higher_configured_version_replaces_the_release(make_rig: Callable[..., Any]) -> None:
    rig = make_rig()
    devices = [rig.device(f"pi-{i}") for i in range(3)]
    aggregator = rig.aggregator()
    aggregator.run(rounds=1)
    rig.close()
    path = rig.publisher.publish(rig.initial.weights * 0.5, round_number=0, version=9)
    rig.initial = replace(rig.initial, version=9, path=path, weights=rig.initial.weights * np.float32(0.5))
    rig.aggregator().run(rounds=1)
    assert released(rig).version == 10
    assert all(device.version == 10 for device in devices)
