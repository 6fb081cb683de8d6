"""Both links: messages stay the broker's until they are acknowledged, whatever happens in between."""

import queue
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from overtone_cloud.aggregator.config import MqttConfig
from overtone_cloud.aggregator.errors import LinkError
from overtone_cloud.aggregator.link import Incoming
from overtone_cloud.aggregator.loopback import LoopbackBroker, matches
from overtone_cloud.aggregator.mqtt import MqttLink
from overtone_cloud.broker.configuration import BrokerSettings, configure
from overtone_cloud.broker.mosquitto import Mosquitto, free_port

UP = "overtone/1/home/device/a/up"
ANY_UP = "overtone/1/home/device/+/up"
PATIENCE_S = 30.0


@pytest.mark.parametrize(
    ("pattern", "topic", "covered"),
    [
        ("a/+/c", "a/b/c", True),
        ("a/+/c", "a/b/d", False),
        ("a/+", "a/b/c", False),
        ("a/#", "a/b/c", True),
        ("#", "a", True),
        ("a/b", "a", False),
        ("a", "a/b", False),
    ],
)
def test_topic_filters(pattern: str, topic: str, covered: bool) -> None:
    assert matches(pattern, topic) == covered


def test_the_twin_delivers_again_until_it_is_acknowledged() -> None:
    broker = LoopbackBroker()
    got: list[Incoming] = []
    first = broker.link("agg")
    first.open([ANY_UP], got.append, lambda *_: None)
    device = broker.link("a")
    device.open([], got.append, lambda *_: None)
    device.publish(UP, b"1")
    first.drop()
    device.publish(UP, b"2")
    again = broker.link("agg")
    again.open([ANY_UP], got.append, lambda *_: None)
    assert [m.payload for m in got] == [b"1", b"1", b"2"]
    for message in got[1:]:
        again.ack(message)
    assert broker.unacknowledged("agg") == 0


def test_the_twin_keeps_retained_messages_and_publishes_wills() -> None:
    broker = LoopbackBroker()
    device = broker.link("a", will=("a/presence", b"gone"))
    device.open([], lambda _: None, lambda *_: None)
    device.publish("a/presence", b"here", retain=True)
    got: list[Incoming] = []
    broker.link("agg").open(["+/presence"], got.append, lambda *_: None)
    device.drop()
    assert [(m.payload, m.retained) for m in got] == [(b"here", True), (b"gone", False)]
    device.publish("a/presence", b"", retain=True)
    assert "a/presence" not in broker.retained


def mqtt(broker: Mosquitto, name: str, client_id: str) -> MqttLink:
    files = broker.directory / "clients" / name
    config = MqttConfig(
        host="localhost",
        port=broker.port,
        ca_file=files / "ca.crt",
        cert_file=files / "client.crt",
        key_file=files / "client.key",
        reconnect_max_s=1,
    )
    return MqttLink(config, client_id=client_id, max_message_bytes=65_536)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    configure(tmp_path, BrokerSettings(host="localhost", fleet="home"), ["a"])
    return tmp_path


def inbox() -> "tuple[queue.Queue[Incoming], Callable[[bool, str], None], queue.Queue[tuple[bool, str]]]":
    states: queue.Queue[tuple[bool, str]] = queue.Queue()
    return queue.Queue(), lambda up, text: states.put((up, text)), states


@pytest.mark.broker
def test_an_absent_broker_is_tried_again_and_nothing_is_lost(folder: Path) -> None:
    broker = Mosquitto(folder, port=free_port())
    messages, on_state, states = inbox()
    link, device = mqtt(broker, "aggregator", "agg"), mqtt(broker, "a", "dev")
    down: queue.Queue[Incoming] = queue.Queue()
    device.open(["overtone/1/home/device/a/down"], down.put, lambda *_: None)
    link.open([ANY_UP], messages.put, on_state)
    assert "cannot be reached" in states.get(timeout=PATIENCE_S)[1]
    link.publish("overtone/1/home/all/release", b"early", retain=True)
    with broker:
        assert states.get(timeout=PATIENCE_S)[0]
        late: queue.Queue[Incoming] = queue.Queue()
        listener = mqtt(broker, "a", "dev-2")
        listener.open(["overtone/1/home/all/release"], late.put, lambda *_: None)
        assert late.get(timeout=PATIENCE_S).payload == b"early"
        for party in (link, device, listener):
            party.close()


@pytest.mark.broker
def test_a_message_comes_again_until_it_is_acknowledged(folder: Path) -> None:
    with Mosquitto(folder) as broker:
        messages, on_state, _ = inbox()
        link = mqtt(broker, "aggregator", "agg")
        states: queue.Queue[bool] = queue.Queue()
        link.open([ANY_UP], messages.put, lambda up, _: states.put(up))
        assert states.get(timeout=PATIENCE_S)
        device = mqtt(broker, "a", "dev")
        device.open([], lambda _: None, on_state)
        device.publish(UP, b"first")
        held = messages.get(timeout=PATIENCE_S)
        broker.stop()
        broker.start()
        again = messages.get(timeout=PATIENCE_S)
        assert again.payload == held.payload == b"first" and again.token != held.token
        link.ack(held)  # of a connection that is gone: must not count for another packet
        link.close()
        successor = mqtt(broker, "aggregator", "agg")
        successor.open([ANY_UP], messages.put, lambda *_: None)
        third = messages.get(timeout=PATIENCE_S)
        assert third.payload == b"first"
        successor.ack(third)
        device.publish(UP, b"second")
        assert messages.get(timeout=PATIENCE_S).payload == b"second"
        device.close()
        successor.close()


@pytest.mark.broker
def test_a_message_that_outlived_its_deadline_is_not_delivered(folder: Path) -> None:
    with Mosquitto(folder) as broker:
        topic = "overtone/1/home/device/a/down"
        received: queue.Queue[bytes] = queue.Queue()

        def connect() -> MqttLink:
            states: queue.Queue[bool] = queue.Queue()
            device = mqtt(broker, "a", "dev")
            device.open([topic], lambda incoming: received.put(incoming.payload), lambda up, _: states.put(up))
            assert states.get(timeout=PATIENCE_S)
            return device

        link = mqtt(broker, "aggregator", "agg")
        link.open([], lambda _: None, lambda *_: None)
        device = connect()
        link.publish(topic, b"subscribed")
        assert received.get(timeout=PATIENCE_S) == b"subscribed"
        device.close()
        link.publish(topic, b"stale", expiry_s=1)
        link.publish(topic, b"lasting")
        time.sleep(2.5)  # the broker counts in whole seconds
        again = connect()
        rest = [received.get(timeout=PATIENCE_S)]
        while b"lasting" not in rest:
            rest.append(received.get(timeout=PATIENCE_S))
        assert b"stale" not in rest
        again.close()
        link.close()


def test_a_refused_subscription_is_named() -> None:
    """Mosquitto's access lists never refuse a SUBSCRIBE, other brokers do: the answer is given by hand."""
    link = MqttLink(MqttConfig(host="localhost", port=1), client_id="x", max_message_bytes=65_536)
    _, on_state, states = inbox()
    link.open(["a/down", "b/down"], lambda _: None, on_state)
    assert not states.get(timeout=PATIENCE_S)[0]  # nobody is there
    granted, refused = (ReasonCode(PacketTypes.SUBACK, identifier=code) for code in (1, 0x87))
    link._subscribed(link._client, None, 1, [granted, refused], None)
    connected, text = states.get(timeout=PATIENCE_S)
    assert not connected and text == "broker localhost:1 refuses the subscription to b/down (Not authorized)"
    link.close()


def test_a_missing_certificate_is_named(tmp_path: Path) -> None:
    config = MqttConfig(host="h", ca_file=tmp_path / "no.crt", cert_file=tmp_path / "c", key_file=tmp_path / "k")
    with pytest.raises(LinkError, match=r"no\.crt"):
        MqttLink(config, client_id="x", max_message_bytes=65_536)
