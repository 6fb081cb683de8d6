"""The MQTT link: messages stay the broker's until they are acknowledged, and each state is logged once."""

import logging
import queue
import ssl
import time
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from overtone_cloud.broker.configuration import BrokerSettings, configure
from overtone_cloud.broker.mosquitto import Mosquitto, free_port
from overtone_common.link import Delivery, MqttConfig, Will
from overtone_common.mqtt import Flow, MqttLink

UP = "overtone/1/home/device/a/up"
ANY_UP = "overtone/1/home/device/+/up"
PATIENCE_S = 30.0


class LinkError(Exception):
    """The caller's own error."""


def mqtt(broker: Mosquitto, name: str, client_id: str, **options: Any) -> MqttLink:
    files = broker.directory / "clients" / name
    config = MqttConfig(
        host="localhost",
        port=broker.port,
        ca_file=files / "ca.crt",
        cert_file=files / "client.crt",
        key_file=files / "client.key",
        reconnect_max_s=1,
    )
    return MqttLink(config, client_id=client_id, max_message_bytes=65_536, error=LinkError, **options)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    configure(tmp_path, BrokerSettings(host="localhost", fleet="home"), ["a"])
    return tmp_path


def up(link: MqttLink, *topics: str) -> "queue.Queue[Delivery]":
    """Open a link, wait until it is connected and return the queue of what it receives."""
    received: queue.Queue[Delivery] = queue.Queue()
    states: queue.Queue[bool] = queue.Queue()
    link.open(topics, received.put, states.put)
    while not states.get(timeout=PATIENCE_S):
        pass
    assert link.connected
    return received


def logged(caplog: pytest.LogCaptureFixture, text: str) -> None:
    """Wait until the link logged a line with `text`."""
    deadline = time.monotonic() + PATIENCE_S
    while not any(text in record.message for record in caplog.records):
        assert time.monotonic() < deadline, caplog.text
        time.sleep(0.02)


@pytest.mark.broker
def test_an_absent_broker_is_tried_again_and_nothing_is_lost(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    broker = Mosquitto(folder, port=free_port())
    link, states = mqtt(broker, "aggregator", "agg"), queue.Queue[bool]()
    link.open([ANY_UP], lambda _: None, states.put)
    logged(caplog, f"broker localhost:{broker.port} cannot be reached: ")
    time.sleep(3.0)  # two more attempts
    assert sum("cannot be reached" in record.message for record in caplog.records) == 1
    assert not link.connected
    assert link.publish("overtone/1/home/all/release", b"early", retain=True)
    with broker:
        assert states.get(timeout=PATIENCE_S)
        listener = mqtt(broker, "a", "dev-2")
        assert up(listener, "overtone/1/home/all/release").get(timeout=PATIENCE_S).payload == b"early"
        for party in (link, listener):
            party.close()


@pytest.mark.broker
def test_a_link_that_keeps_nothing_refuses_while_the_broker_is_away(folder: Path) -> None:
    broker = Mosquitto(folder, port=free_port())
    device = mqtt(broker, "a", "dev", flow=Flow(max_in_flight=8, max_queued=512, keep_offline=False))
    assert not device.publish(UP, b"lost")
    with broker:
        link = mqtt(broker, "aggregator", "agg")
        received = up(link, ANY_UP)
        up(device, "overtone/1/home/device/a/down")
        assert device.publish(UP, b"sent")
        device.close()  # flushes
        assert received.get(timeout=PATIENCE_S).payload == b"sent"
        link.close()
        assert received.empty()


@pytest.mark.broker
def test_the_will_is_published_when_the_connection_is_lost_and_not_at_close(folder: Path) -> None:
    presence = "overtone/1/home/device/a/presence"
    with Mosquitto(folder) as broker:
        link = mqtt(broker, "aggregator", "agg")
        received = up(link, "overtone/1/home/device/+/presence")
        for lost in (False, True):
            device = mqtt(broker, "a", "dev", will=Will(presence, b"gone"))
            up(device)
            device.publish(presence, b"here", retain=True)
            assert received.get(timeout=PATIENCE_S).payload == b"here"
            if lost:
                device._client.loop_stop()
                device._client.socket().close()
                assert received.get(timeout=PATIENCE_S).payload == b"gone"
            else:
                device.close()
        link.close()
        assert received.empty()


@pytest.mark.broker
def test_a_message_comes_again_until_it_is_acknowledged(folder: Path) -> None:
    with Mosquitto(folder) as broker:
        link, device = mqtt(broker, "aggregator", "agg"), mqtt(broker, "a", "dev")
        received = up(link, ANY_UP)
        up(device)
        device.publish(UP, b"first")
        held = received.get(timeout=PATIENCE_S)
        broker.stop()
        broker.start()
        assert received.get(timeout=PATIENCE_S).payload == held.payload == b"first"
        held.acknowledge()  # of a connection that is gone: must not count for another packet
        link.close()
        successor = mqtt(broker, "aggregator", "agg")
        received = up(successor, ANY_UP)
        third = received.get(timeout=PATIENCE_S)
        assert third.payload == b"first"
        third.acknowledge()
        device.publish(UP, b"second")
        assert received.get(timeout=PATIENCE_S).payload == b"second"
        device.close()
        successor.close()


@pytest.mark.broker
def test_a_message_that_outlived_its_deadline_is_not_delivered(folder: Path) -> None:
    topic = "overtone/1/home/device/a/down"
    with Mosquitto(folder) as broker:
        link, device = mqtt(broker, "aggregator", "agg"), mqtt(broker, "a", "dev")
        up(link)
        received = up(device, topic)
        link.publish(topic, b"subscribed")
        assert received.get(timeout=PATIENCE_S).payload == b"subscribed"
        device.close()
        link.publish(topic, b"stale", expiry_s=1)
        link.publish(topic, b"lasting")
        time.sleep(2.5)  # the broker counts in whole seconds
        again = mqtt(broker, "a", "dev")
        received = up(again, topic)
        rest = [received.get(timeout=PATIENCE_S).payload]
        while b"lasting" not in rest:
            rest.append(received.get(timeout=PATIENCE_S).payload)
        assert b"stale" not in rest
        again.close()
        link.close()


def make_link(**options: Any) -> MqttLink:
    config = MqttConfig(**{"host": "localhost", "port": 1, **options.pop("config", {})})
    return MqttLink(config, client_id="x", max_message_bytes=65_536, error=LinkError, **options)


def test_a_refused_subscription_is_named_and_the_rest_works(caplog: pytest.LogCaptureFixture) -> None:
    """Mosquitto's access lists never refuse a SUBSCRIBE, other brokers do: the answer is given by hand."""
    link, states = make_link(), queue.Queue[bool]()
    link.open(["a/down", "b/down"], lambda _: None, states.put)
    logged(caplog, "cannot be reached")  # nobody is there
    granted, refused = (ReasonCode(PacketTypes.SUBACK, identifier=code) for code in (1, 0x87))
    link._subscribed(link._client, None, 1, [granted, refused], None)
    assert states.get(timeout=PATIENCE_S) and link.connected
    logged(caplog, "broker localhost:1 refuses the subscription to b/down (Not authorized)")
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 2
    link.close()


def test_a_refused_connection_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    link = make_link()
    refused = ReasonCode(PacketTypes.CONNACK, identifier=0x87)
    for _ in range(3):
        link._connected(link._client, None, None, refused, None)
        link._disconnected(link._client, None, None, refused, None)
    assert [record.message for record in caplog.records] == [
        "broker localhost:1 refuses the connection: Not authorized"
    ]


def test_a_full_queue_refuses_and_does_not_hold_up_the_end() -> None:
    link = make_link(flow=Flow(max_queued=2))
    assert [link.publish("t", b"") for _ in range(4)] == [True, True, False, False]
    assert link._unsent == 2


def test_each_process_draws_its_own_longest_wait() -> None:
    drawn = {make_link(config={"reconnect_max_s": 60})._client._reconnect_max_delay for _ in range(200)}
    assert len(drawn) > 20 and min(drawn) >= 30 and max(drawn) <= 90
    assert make_link(config={"reconnect_max_s": 1})._client._reconnect_max_delay == 1
    assert make_link(config={"reconnect_min_s": 50, "reconnect_max_s": 60})._client._reconnect_min_delay == 50


def test_a_missing_certificate_is_named(tmp_path: Path) -> None:
    files = {name: tmp_path / f"{name}.pem" for name in ("ca_file", "cert_file", "key_file")}
    with pytest.raises(LinkError, match=r"certificates .*ca_file\.pem.*: .*No such file"):
        make_link(config={"host": "h", **files})


def test_tls_is_at_least_1_2(tmp_path: Path) -> None:
    configure(tmp_path, BrokerSettings(host="localhost", fleet="home"), ["a"])
    files = tmp_path / "clients" / "a"
    for certificate in ({}, {"cert_file": files / "client.crt", "key_file": files / "client.key"}):
        link = make_link(config={"host": "h", "ca_file": files / "ca.crt", **certificate})
        context = link._client._ssl_context
        assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
        assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
