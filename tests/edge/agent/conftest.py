"""A whole agent on a link in memory, and the aggregator as it sees it."""

import hashlib
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import soundfile
from tests.support.loopback import LoopbackBroker, LoopbackLink

from overtone_edge.agent.agent import Agent
from overtone_edge.agent.cli import main
from overtone_edge.agent.control import ask
from overtone_edge.core.config import load_config
from overtone_edge.fleet.rounds import Backoff
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
        broker.link(AGGREGATOR).open([TOPICS.any_up], self._delivered)

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
        delivery.acknowledge()
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

        def connect(will) -> LoopbackLink:
            assert broker is not None
            self.link = broker.link(will.topic, will=will)
            return self.link

        self.agent = Agent(
            load_config(config),
            link_factory=connect if broker is not None else None,
            backoff=Backoff(first_s=1.0, longest_s=4.0),
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


@pytest.fixture
def call_for(fleet) -> Callable[..., RoundCall]:
    """Return calls for a round on bundle 1."""
    bundle = read_bundle(fleet.payload(1))

    def call_for(**values) -> RoundCall:
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

    return call_for
