"""The broker in memory behaves like one: sessions, retained messages, wills, redelivery."""

import pytest
from tests.support.loopback import LoopbackBroker, matches

from overtone_common.link import Delivery, Will

UP = "overtone/1/home/device/a/up"
ANY_UP = "overtone/1/home/device/+/up"


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
    got: list[Delivery] = []
    first = broker.link("agg")
    first.open([ANY_UP], got.append)
    device = broker.link("a")
    device.open([], got.append)
    device.publish(UP, b"1")
    first.drop()
    assert not first.connected and not first.publish(UP, b"x")
    device.publish(UP, b"2")
    again = broker.link("agg")
    again.open([ANY_UP], got.append)
    assert [m.payload for m in got] == [b"1", b"1", b"2"]
    got[0].acknowledge()  # of a connection that is gone
    assert broker.unacknowledged("agg") == 2
    for message in got[1:]:
        message.acknowledge()
    assert broker.unacknowledged("agg") == 0


def test_the_twin_keeps_retained_messages_and_publishes_wills() -> None:
    broker = LoopbackBroker()
    device = broker.link("a", will=Will("a/presence", b"gone"))
    device.open([], lambda _: None)
    device.publish("a/presence", b"here", retain=True)
    got: list[Delivery] = []
    broker.link("agg").open(["+/presence"], got.append)
    device.drop()
    assert [(m.payload, m.retained) for m in got] == [(b"here", True), (b"gone", False)]
    device.restore()
    device.publish("a/presence", b"", retain=True)
    assert "a/presence" not in broker.retained


def test_a_restored_link_says_so_and_gets_what_waited() -> None:
    broker, got, states = LoopbackBroker(), list[Delivery](), list[bool]()
    link = broker.link("agg")
    link.open([ANY_UP], got.append, states.append)
    link.drop()
    broker.publish(UP, b"1")
    assert (got, states) == ([], [True, False])
    link.restore()
    assert ([m.payload for m in got], states) == ([b"1"], [True, False, True])
