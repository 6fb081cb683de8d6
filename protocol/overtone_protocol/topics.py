"""MQTT topics of a fleet: their names, and the device that a topic belongs to."""

import re

from overtone_protocol.errors import MessageError

AGGREGATOR = "aggregator"
"""Sender of the aggregator's messages; no device may have this id."""

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_TOPIC_LIMIT_BYTES = 512


def check_name(what: str, name: str) -> str:
    """Return a valid fleet name or device id; raise MessageError, whose text begins with `what`, for others."""
    if _NAME.fullmatch(name) is None:
        raise MessageError(f"{what} is {name[:80]!r}; use 1 to 63 of a-z, 0-9 and '-', the first not '-'")
    return name


def check_device(what: str, name: str) -> str:
    """Return a valid device id; raise MessageError for any other name and for "aggregator"."""
    if check_name(what, name) == AGGREGATOR:
        raise MessageError(f"{what} is {name!r}, which is the aggregator's own")
    return name


class Topics:
    """Names of the topics under `overtone/1/{fleet}`."""

    def __init__(self, fleet: str) -> None:
        self.fleet = check_name("fleet", fleet)
        self.root = f"overtone/1/{fleet}"

    def _of(self, device: str, leaf: str) -> str:
        return f"{self.root}/device/{check_device('device', device)}/{leaf}"

    def presence(self, device: str) -> str:
        """Return the topic of the retained Presence (and of the will) of `device`."""
        return self._of(device, "presence")

    def up(self, device: str) -> str:
        """Return the topic of messages from `device` to the aggregator."""
        return self._of(device, "up")

    def down(self, device: str) -> str:
        """Return the topic of messages from the aggregator to `device`."""
        return self._of(device, "down")

    def emotion(self, device: str) -> str:
        """Return the topic of the emotion events (JSON) of `device`."""
        return self._of(device, "emotion")

    def label(self, device: str) -> str:
        """Return the topic of the user's label commands (JSON) to `device`."""
        return self._of(device, "label")

    @property
    def release(self) -> str:
        """The topic of the retained Release."""
        return f"{self.root}/all/release"

    @property
    def any_presence(self) -> str:
        """The aggregator's subscription for every Presence."""
        return f"{self.root}/device/+/presence"

    @property
    def any_up(self) -> str:
        """The aggregator's subscription for every device's messages."""
        return f"{self.root}/device/+/up"

    def device_of(self, topic: str) -> str:
        """Return the device that `topic` of this fleet belongs to; raise MessageError for any other topic."""
        if len(topic) > _TOPIC_LIMIT_BYTES:
            raise MessageError(f"topic is {len(topic)} characters, limit is {_TOPIC_LIMIT_BYTES}")
        parts = topic.removeprefix(f"{self.root}/").split("/")
        if not topic.startswith(f"{self.root}/device/") or len(parts) != 3:
            raise MessageError(f"topic {topic!r} is not a device's topic under {self.root}")
        return check_device("device", parts[1])
