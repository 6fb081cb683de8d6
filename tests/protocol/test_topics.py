"""Topics of one fleet."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overtone_protocol import MessageError, Topics

TOPICS = Topics("home")


def test_names_are_those_of_the_specification():
    assert TOPICS.presence("pi-1") == "overtone/1/home/device/pi-1/presence"
    assert TOPICS.up("pi-1") == "overtone/1/home/device/pi-1/up"
    assert TOPICS.down("pi-1") == "overtone/1/home/device/pi-1/down"
    assert TOPICS.emotion("pi-1") == "overtone/1/home/device/pi-1/emotion"
    assert TOPICS.label("pi-1") == "overtone/1/home/device/pi-1/label"
    assert TOPICS.release == "overtone/1/home/all/release"
    assert TOPICS.any_presence == "overtone/1/home/device/+/presence"
    assert TOPICS.any_up == "overtone/1/home/device/+/up"


@given(st.from_regex(r"[a-z0-9][a-z0-9-]{0,62}", fullmatch=True).filter(lambda name: name != "aggregator"))
def test_the_device_of_a_topic_is_the_one_that_made_it(device):
    for make in (TOPICS.presence, TOPICS.up, TOPICS.down, TOPICS.emotion, TOPICS.label):
        assert TOPICS.device_of(make(device)) == device


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "overtone/1/home/all/release",
        "overtone/1/other/device/pi-1/up",
        "overtone/2/home/device/pi-1/up",
        "overtone/1/home/device/pi-1",
        "overtone/1/home/device/pi-1/up/more",
        "overtone/1/home/device/PI/up",
        "overtone/1/home/device/+/up",
        "overtone/1/home/device/aggregator/up",
        "x" * 600,
    ],
)
def test_any_other_topic_is_refused(topic):
    with pytest.raises(MessageError):
        TOPICS.device_of(topic)


@pytest.mark.parametrize("name", ["", "Home", "a/b", "#", "+", "a" * 64])
def test_names_with_other_characters_are_refused(name):
    with pytest.raises(MessageError, match="use 1 to 63 of"):
        Topics(name)
    with pytest.raises(MessageError, match="use 1 to 63 of"):
        TOPICS.up(name)


def test_no_device_may_be_the_aggregator():
    with pytest.raises(MessageError, match="the aggregator's own"):
        TOPICS.down("aggregator")
