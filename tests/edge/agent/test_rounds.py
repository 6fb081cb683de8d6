"""Rounds through a whole agent: training, restarts, deadlines, lost connections."""

import time
from pathlib import Path

import numpy as np
import pytest

from overtone_edge.core.config import load_config
from overtone_edge.fleet import participant
from overtone_edge.install.quality import usable_examples
from overtone_edge.learning.training_steps import Plan, train
from overtone_edge.state.home import Home
from overtone_models.bundle import read_bundle
from overtone_protocol import (
    Chunk,
    Receipt,
    Topics,
    encode,
)
from overtone_protocol.errors import DECLINE_CODES

TOPICS = Topics("test")


@pytest.mark.parametrize("scope", ["head", "full"])
def test_a_round_gives_exactly_what_local_training_gives(
    labelled: Path, fleet, cloud, start, scope: str, call_for
) -> None:
    running = start(labelled)
    cloud.wait(lambda: cloud.presence("device-a"))
    call = call_for(scope=scope)
    cloud.send("device-a", call)
    cloud.wait(lambda: cloud.updates)
    assert cloud.replies[0].joining
    (update,) = cloud.updates
    bundle = read_bundle(fleet.payload(1))
    examples = Home(load_config(labelled)).store.examples(bundle.manifest.front_end.digest, bundle.manifest.labels)
    training = [e for e in usable_examples(bundle, examples) if not e.held_out]
    plan = Plan(scope=scope, steps=10, learning_rate=0.05, momentum=0.9, seed=7)
    expected = train(bundle, training, plan).weights - bundle.weights[bundle.manifest.layout.scope_slice(scope)]
    assert np.abs(update.delta - expected).max() < 1e-6
    assert (update.examples, update.steps, update.scope) == (len(training), 10, scope)
    presence = cloud.presence("device-a")
    assert (presence.examples, presence.examples + presence.held_out) == (len(training), 12)
    cloud.wait(lambda: running.ask(command="status")["status"]["outbox"] == 0)


def test_an_update_outlives_restarts_until_its_receipt(labelled: Path, cloud, start, call_for) -> None:
    cloud.silent = True
    first = start(labelled)
    cloud.wait(lambda: cloud.presence("device-a"))
    cloud.send("device-a", call_for())
    cloud.wait(lambda: cloud.offers >= 2)
    first.stop()
    cloud.silent = False
    second = start(labelled)
    cloud.wait(lambda: cloud.updates)
    cloud.wait(lambda: second.ask(command="status")["status"]["outbox"] == 0)
    assert len(cloud.updates) == 1
    cloud.send("device-a", call_for())
    cloud.wait(lambda: len(cloud.replies) == 2)
    assert second.ask(command="status")["status"]["counters"]["trainings"] == 0


def test_a_round_goes_on_after_a_restart(labelled: Path, cloud, start, call_for) -> None:
    first = start(labelled)
    cloud.wait(lambda: cloud.presence("device-a"))
    cloud.send("device-a", call_for(steps=100_000, scope="full"))
    cloud.wait(lambda: cloud.replies)
    first.stop()
    home = Home(load_config(labelled))
    assert home.assignments.current is not None
    home.assignments.assign(call_for(), home.assignments.current.received_s)
    start(labelled)
    cloud.wait(lambda: cloud.updates)


def test_a_late_round_is_given_up(labelled: Path, cloud, start, call_for) -> None:
    start(labelled)
    cloud.wait(lambda: cloud.presence("device-a"))
    cloud.send("device-a", call_for(steps=100_000, scope="full", deadline_s=1.0))
    cloud.wait(lambda: len(cloud.replies) == 2)
    assert [reply.joining for reply in cloud.replies] == [True, False]
    assert cloud.replies[1].reason.split(":")[0] in DECLINE_CODES


def test_a_trainer_that_is_killed_costs_the_round_and_nothing_else(labelled: Path, cloud, start, call_for) -> None:
    running = start(labelled)
    cloud.wait(lambda: cloud.presence("device-a"))
    cloud.send("device-a", call_for(steps=100_000, scope="full"))
    cloud.wait(lambda: running.agent._jobs.running("round"))
    running.agent._jobs._running["round"].process.kill()
    cloud.wait(lambda: len(cloud.replies) == 2)
    assert not cloud.replies[1].joining and "ended with status -9" in cloud.replies[1].reason
    assert cloud.replies[1].reason.split(":")[0] == "failed" in DECLINE_CODES
    assert running.ask(command="status")["status"]["running"]
    cloud.send("device-a", call_for(round=2, round_id=b"2" * 16))
    cloud.wait(lambda: cloud.updates)


def test_calls_for_another_base_are_declined(labelled: Path, cloud, start, call_for) -> None:
    start(labelled)
    cloud.wait(lambda: cloud.presence("device-a"))
    cloud.send("device-a", call_for(base=bytes(32)))
    cloud.wait(lambda: cloud.replies)
    assert not cloud.replies[0].joining and cloud.replies[0].reason.startswith("wrong-base")


def test_without_a_connection_nothing_is_lost(labelled: Path, cloud, start, call_for) -> None:
    running = start(labelled)
    cloud.wait(lambda: cloud.presence("device-a"))
    assert running.link is not None
    running.link.drop()
    assert not cloud.presence("device-a").online
    cloud.send("device-a", call_for())
    running.link.restore()
    cloud.wait(lambda: cloud.updates)
    assert cloud.presence("device-a").online


def test_bad_messages_are_one_line_each(labelled: Path, broker, cloud, start, caplog) -> None:
    running = start(labelled)
    cloud.wait(lambda: cloud.presence("device-a"))
    down = TOPICS.down("device-a")
    broker.publish(down, b"\xff\xff")
    broker.publish(down, bytes(70_000))
    broker.publish(down, encode(Chunk("device-b", bytes(32), 0, b"x")))
    broker.publish(TOPICS.release, encode(Receipt(bytes(32), "accepted")))
    broker.publish(TOPICS.label("device-a"), b'{"label": 5}')
    broker.publish(TOPICS.label("device-a"), b'{"label": "happy", "last_s": "5s"}')
    broker.publish(TOPICS.label("device-a"), b'{"label": "happy", "last_s": 5}')
    broker.publish(TOPICS.label("device-a"), b'{"label": "happy", "last_s": 5, "note": "x"}')
    broker.publish(TOPICS.label("device-a"), b"[" * 4_096)
    broker.publish(TOPICS.label("device-a"), b" " * 4_097)
    running.ask(command="status")
    lines = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert len(lines) == 10
    assert "message is 70000 bytes, limit is 65536" in lines[1]
    assert lines[7] == "label message has an unknown key 'note'; the keys are label, last_s"
    assert "label message is not JSON" in lines[8]
    assert lines[9] == "label message is 4097 bytes, limit is 4096"
    assert running.status is None


def test_new_examples_are_announced_at_most_once_in_a_while(labelled: Path, broker, cloud, start, monkeypatch) -> None:
    monkeypatch.setattr(participant, "EXAMPLES_EVERY_S", 3.0)
    running = start(labelled)
    cloud.wait(lambda: cloud.presence("device-a"))
    store, topic = running.agent.home.store, TOPICS.presence("device-a")
    digest = running.agent.active.model.bundle.manifest.front_end.digest

    def announced() -> int:
        return sum(one == topic for one, _ in broker.published)

    before, began_s = announced(), time.monotonic()
    for seed in range(3):
        frames = np.random.default_rng(seed).normal(size=(50, 40)).astype(np.float32)
        store.add(frames, "happy", front_end=digest, time_ns=time.time_ns())
        running.ask(command="refresh")
    assert announced() == before + 1
    cloud.wait(lambda: announced() == before + 2)
    assert time.monotonic() - began_s >= 3.0
    assert (presence := cloud.presence("device-a")) and presence.examples + presence.held_out == 15
