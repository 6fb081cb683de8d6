"""A whole agent on a link in memory: releases, rounds, labels, restarts, failures."""

import hashlib
import itertools
import json
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from overtone_edge import loading
from overtone_edge.agent import Agent
from overtone_edge.cli import main
from overtone_edge.config import load_config
from overtone_edge.control import ask
from overtone_edge.errors import InstallError
from overtone_edge.federation import Patience
from overtone_edge.home import Home
from overtone_edge.learning import Plan, train, usable
from overtone_edge.link import LoopbackBroker, LoopbackLink
from overtone_models.bundle import read_bundle
from overtone_protocol import (
    AGGREGATOR,
    Assembly,
    Chunk,
    Fetch,
    Health,
    Offer,
    Presence,
    Receipt,
    Release,
    RoundCall,
    RoundReply,
    Topics,
    Wanted,
    chunk_count,
    decode,
    decode_update,
    encode,
    split,
)

TOPICS = Topics("test")
NONE = '[source]\nkind = "none"\n[mqtt]\n'
ENOUGH_S = 60.0


class Cloud:
    """The aggregator as the agent sees it, on the same broker; `drop_receipts` loses them."""

    def __init__(self, broker: LoopbackBroker) -> None:
        self.broker = broker
        self.files: dict[bytes, bytes] = {}
        self.health: list[Health] = []
        self.replies: list[RoundReply] = []
        self.updates: list = []
        self.offers = 0
        self.silent = False
        self._assemblies: dict[bytes, Assembly] = {}
        self._arrived = threading.Condition()
        self._link = LoopbackLink(broker, (TOPICS.any_up,))
        self._link.start(self._delivered, lambda _up: None)

    def release(self, signed: bytes, version: int) -> Release:
        digest = hashlib.sha256(signed).digest()
        self.files[digest] = signed
        size = 10_000
        message = Release(digest, version, len(signed), size, chunk_count(len(signed), size), bytes(32), 1)
        self.broker.publish(TOPICS.release, encode(message), retain=True)
        return message

    def send(self, device: str, message) -> None:
        self.broker.publish(TOPICS.down(device), encode(message))

    def presence(self, device: str) -> Presence | None:
        data = self.broker.retained.get(TOPICS.presence(device))
        message = None if data is None else decode(data)
        assert message is None or isinstance(message, Presence)
        return message

    def wait(self, condition: Callable[[], object]) -> None:
        """Wait until something that messages bring about is there."""
        deadline = time.monotonic() + ENOUGH_S
        with self._arrived:
            while not condition():
                assert time.monotonic() < deadline, "it did not happen"
                self._arrived.wait(0.05)

    def _delivered(self, delivery) -> None:
        device, message = TOPICS.device_of(delivery.topic), decode(delivery.payload)
        assert message.device == device
        if isinstance(message, Fetch):
            parts = split(self.files[message.bundle], 10_000)
            for index in message.indices:
                self.send(device, Chunk(AGGREGATOR, message.bundle, index, parts[index]))
        elif isinstance(message, Offer):
            self._offered(device, message)
        elif isinstance(message, Chunk):
            self._chunk(device, message)
        with self._arrived:
            if isinstance(message, Health):
                self.health.append(message)
            elif isinstance(message, RoundReply):
                self.replies.append(message)
            self._arrived.notify_all()

    def _offered(self, device: str, offer: Offer) -> None:
        self.offers += 1
        if self.silent:
            return
        if offer.transfer in self._assemblies:
            self.send(device, Receipt(offer.transfer, "duplicate"))
            return
        assembly = Assembly(offer.transfer, offer.size, offer.chunk_size, offer.chunks)
        self._assemblies[offer.transfer] = assembly
        self.send(device, Wanted(offer.transfer, assembly.missing()))

    def _chunk(self, device: str, chunk: Chunk) -> None:
        assembly = self._assemblies[chunk.transfer]
        if assembly.add(chunk.index, chunk.data) and assembly.complete:
            self.updates.append(decode_update(assembly.payload()))
            self.send(device, Receipt(chunk.transfer, "accepted"))


class Running:
    """An agent in a thread of this process."""

    def __init__(self, config: Path, broker: LoopbackBroker | None) -> None:
        self.link: LoopbackLink | None = None

        def connect(subscriptions, will) -> LoopbackLink:
            assert broker is not None
            self.link = LoopbackLink(broker, subscriptions, will)
            return self.link

        self.agent = Agent(
            load_config(config),
            link_factory=connect if broker is not None else None,
            patience=Patience(first_s=1.0, longest_s=4.0),
        )
        self.status: int | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        self.status = self.agent.run()

    def ask(self, **request) -> dict:
        deadline = time.monotonic() + ENOUGH_S
        while (answer := ask(self.agent.home.socket, request, timeout_s=ENOUGH_S)) is None:
            assert time.monotonic() < deadline and self.status is None
            time.sleep(0.02)
        return answer

    def stop(self) -> int | None:
        self.agent.stop()
        return self.join()

    def join(self) -> int | None:
        self._thread.join(ENOUGH_S)
        assert not self._thread.is_alive()
        return self.status


@pytest.fixture
def broker() -> LoopbackBroker:
    return LoopbackBroker()


@pytest.fixture
def cloud(broker: LoopbackBroker) -> Cloud:
    return Cloud(broker)


@pytest.fixture
def start(broker: LoopbackBroker):
    running: list[Running] = []

    def start(config: Path, *, connected: bool = True) -> Running:
        running.append(Running(config, broker if connected else None))
        return running[-1]

    yield start
    for one in running:
        one.stop()


@pytest.fixture
def labelled(make_config, fleet, tmp_path: Path, voice) -> Path:
    """A federating device with bundle 1 and 12 labelled recordings."""
    path = make_config(NONE)
    assert main(["install", str(fleet.path(1)), "--config", str(path)]) == 0
    add_examples(path, tmp_path, voice)
    return path


def add_examples(config: Path, folder: Path, voice) -> None:
    rows = ["path,label"]
    for n in range(12):
        soundfile.write(folder / f"{n}.flac", voice(1.2, pitch_hz=110.0 + 110 * (n % 2) + n, seed=n), 16_000)
        rows.append(f"{n}.flac,{'happy' if n % 2 else 'sad'}")
    (folder / "labels.csv").write_text("\n".join(rows))
    assert main(["label", "--manifest", str(folder / "labels.csv"), "--config", str(config)]) == 0


def call_for(fleet, **values) -> RoundCall:
    bundle = read_bundle(fleet.payload(1))
    settings = {
        "round": 1,
        "round_id": b"1" * 16,
        "scope": "head",
        "base": bytes.fromhex(bundle.base),
        "layout": bytes.fromhex(bundle.manifest.layout.digest),
        "steps": 10,
        "learning_rate": 0.05,
        "momentum": 0.9,
        "seed": 7,
        "deadline_s": 300.0,
        "max_norm": 100.0,
    }
    return RoundCall(**{**settings, **values})


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


@pytest.mark.parametrize("scope", ["head", "full"])
def test_a_round_gives_exactly_what_local_training_gives(labelled: Path, fleet, cloud, start, scope: str) -> None:
    running = start(labelled)
    cloud.wait(lambda: cloud.presence("device-a"))
    call = call_for(fleet, scope=scope)
    cloud.send("device-a", call)
    cloud.wait(lambda: cloud.updates)
    assert cloud.replies[0].joining
    (update,) = cloud.updates
    bundle = read_bundle(fleet.payload(1))
    examples = Home(load_config(labelled)).store.examples(bundle.manifest.front_end.digest, bundle.manifest.labels)
    training = [e for e in usable(bundle, examples) if not e.held_out]
    plan = Plan(scope=scope, steps=10, learning_rate=0.05, momentum=0.9, seed=7)
    expected = train(bundle, training, plan).weights - bundle.weights[bundle.manifest.layout.scope_slice(scope)]
    assert np.abs(update.delta - expected).max() < 1e-6
    assert (update.examples, update.steps, update.scope) == (len(training), 10, scope)
    presence = cloud.presence("device-a")
    assert (presence.examples, presence.examples + presence.held_out) == (len(training), 12)
    cloud.wait(lambda: running.ask(command="status")["status"]["outbox"] == 0)


def test_an_update_outlives_restarts_until_its_receipt(labelled: Path, fleet, cloud, start) -> None:
    cloud.silent = True
    first = start(labelled)
    cloud.wait(lambda: cloud.presence("device-a"))
    cloud.send("device-a", call_for(fleet))
    cloud.wait(lambda: cloud.offers >= 2)
    first.stop()
    cloud.silent = False
    second = start(labelled)
    cloud.wait(lambda: cloud.updates)
    cloud.wait(lambda: second.ask(command="status")["status"]["outbox"] == 0)
    assert len(cloud.updates) == 1
    cloud.send("device-a", call_for(fleet))
    cloud.wait(lambda: len(cloud.replies) == 2)
    assert second.ask(command="status")["status"]["counters"]["trainings"] == 0


def test_a_round_goes_on_after_a_restart(labelled: Path, fleet, cloud, start) -> None:
    first = start(labelled)
    cloud.wait(lambda: cloud.presence("device-a"))
    cloud.send("device-a", call_for(fleet, steps=100_000, scope="full"))
    cloud.wait(lambda: cloud.replies)
    first.stop()
    home = Home(load_config(labelled))
    assert home.desk.current is not None
    home.desk.assign(call_for(fleet), home.desk.current.received_s)
    start(labelled)
    cloud.wait(lambda: cloud.updates)


def test_a_late_round_is_given_up(labelled: Path, fleet, cloud, start) -> None:
    start(labelled)
    cloud.wait(lambda: cloud.presence("device-a"))
    cloud.send("device-a", call_for(fleet, steps=100_000, scope="full", deadline_s=1.0))
    cloud.wait(lambda: len(cloud.replies) == 2)
    assert [reply.joining for reply in cloud.replies] == [True, False]


def test_a_trainer_that_is_killed_costs_the_round_and_nothing_else(labelled: Path, fleet, cloud, start) -> None:
    running = start(labelled)
    cloud.wait(lambda: cloud.presence("device-a"))
    cloud.send("device-a", call_for(fleet, steps=100_000, scope="full"))
    cloud.wait(lambda: running.agent._jobs.running("round"))
    running.agent._jobs._running["round"].process.kill()
    cloud.wait(lambda: len(cloud.replies) == 2)
    assert not cloud.replies[1].joining and "ended with status -9" in cloud.replies[1].reason
    assert running.ask(command="status")["status"]["running"]
    cloud.send("device-a", call_for(fleet, round=2, round_id=b"2" * 16))
    cloud.wait(lambda: cloud.updates)


def test_calls_for_another_base_are_declined(labelled: Path, fleet, cloud, start) -> None:
    start(labelled)
    cloud.wait(lambda: cloud.presence("device-a"))
    cloud.send("device-a", call_for(fleet, base=bytes(32)))
    cloud.wait(lambda: cloud.replies)
    assert not cloud.replies[0].joining and cloud.replies[0].reason.startswith("wrong-base")


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
    running.ask(command="status")
    lines = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert len(lines) == 7
    assert "message is 70000 bytes, limit is 65536" in lines[1]
    assert running.status is None


def test_a_personal_head_is_used_survives_and_follows_a_new_base(labelled: Path, fleet, cloud, start) -> None:
    running = start(labelled)
    assert running.ask(command="personalise")["kept"]
    assert running.ask(command="status")["status"]["personal_in_use"]
    running.stop()
    again = start(labelled)
    assert again.ask(command="status")["status"]["personal_in_use"]
    cloud.release(fleet.signed(2), 2)
    cloud.wait(lambda: cloud.health)
    base = read_bundle(fleet.payload(2)).base

    def retrained() -> bool:
        personal = again.ask(command="status")["status"]["personal"]
        return personal is None or personal["base"] == base

    cloud.wait(retrained)
    again.ask(command="erase")
    state = again.ask(command="status")["status"]
    assert (state["personal"], state["personal_in_use"], state["examples"]) == (None, False, 0)
    cloud.wait(lambda: cloud.presence("device-a").examples == 0)


def test_the_last_seconds_are_labelled_while_listening(make_config, fleet, broker, cloud, start, recording) -> None:
    path = make_config(
        '[source]\nkind="file"\npath="speech.wav"\npaced=false\nat_end="stay"\n[decision]\nthreshold=0.0\n'
    )
    main(["install", str(fleet.path(1)), "--config", str(path)])
    running = start(path)
    topic = TOPICS.emotion("device-a")
    cloud.wait(lambda: sum(json.loads(d)["final"] for t, d in list(broker.published) if t == topic) == 2)
    assert running.ask(command="label", label="happy", last_s=2)["stored"] == 1
    broker.publish(TOPICS.label("device-a"), b'{"label": "sadness", "last_s": 30}')
    cloud.wait(lambda: cloud.presence("device-a").examples + cloud.presence("device-a").held_out == 3)
    assert set(running.ask(command="status")["status"]["by_label"]) == {"happy", "sad"}
    assert not list((running.agent.home.folder / "store").glob("*.wav"))


def test_listening_goes_on_through_a_new_bundle(
    make_config, fleet, broker, cloud, start, tmp_path, voice, silence
) -> None:
    sound = np.concatenate([np.concatenate([voice(1.0, seed=n), silence(0.8)]) for n in range(8)])
    soundfile.write(tmp_path / "speech.wav", sound, 16_000)
    path = make_config('[source]\nkind="file"\npath="speech.wav"\n[decision]\nthreshold=0.0\n')
    main(["install", str(fleet.path(1)), "--config", str(path)])
    running = start(path)
    cloud.wait(lambda: any(topic == TOPICS.emotion("device-a") for topic, _ in broker.published))
    cloud.release(fleet.signed(2), 2)
    assert running.join() == 0
    events = [json.loads(data) for topic, data in broker.published if topic == TOPICS.emotion("device-a")]
    assert [event["bundle_version"] for event in events] == sorted(event["bundle_version"] for event in events)
    assert {event["bundle_version"] for event in events} == {1, 2}
    assert all(a["stream_s"] <= b["stream_s"] for a, b in itertools.pairwise(events))


def test_without_a_connection_nothing_is_lost(labelled: Path, fleet, cloud, start) -> None:
    running = start(labelled)
    cloud.wait(lambda: cloud.presence("device-a"))
    assert running.link is not None
    running.link.drop()
    assert not cloud.presence("device-a").online
    cloud.send("device-a", call_for(fleet))
    running.link.restore()
    cloud.wait(lambda: cloud.updates)
    assert cloud.presence("device-a").online


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
