"""Connection of the agent to the broker: topics, presence, and a queue for messages while it is offline."""

import logging
from collections import deque
from collections.abc import Callable, Iterable

from overtone_common.link import Link, OnConnection, OnDelivery, Will
from overtone_edge.core.config import Config
from overtone_edge.core.errors import LinkError
from overtone_protocol import DEFAULT_LIMITS, Health, Message, Presence, RoundReply, Topics, encode, lifetime_s

_log = logging.getLogger(__name__)

EVENT_EXPIRY_S = 60
MAX_UNSENT = 32

MAX_IN_FLIGHT = 8
MAX_QUEUE = 512

LinkFactory = Callable[[Will], Link]


class Uplink:
    """Sends messages, events and the presence; does nothing where the device has no broker."""

    def __init__(self, config: Config, link_factory: LinkFactory | None, client_id: Callable[[], str]) -> None:
        self.topics = Topics(config.device.fleet)
        self._config = config
        self._device = config.device.id
        self._link_factory = link_factory
        self._client_id = client_id
        self._link: Link | None = None
        self._unsent: deque[Message] = deque(maxlen=MAX_UNSENT)
        self._last_presence = b""

    @property
    def configured(self) -> bool:
        """Whether this device has a broker at all."""
        return self._config.mqtt is not None or self._link_factory is not None

    @property
    def connected(self) -> bool:
        """Whether there is a connection now."""
        return self._link is not None and self._link.connected

    def start(self, will: Presence, on_delivery: OnDelivery, on_connection: OnConnection) -> None:
        """Start to connect, with retries until the broker answers. Raises LinkError for bad certificates."""
        if not self.configured:
            return
        topics, device = self.topics, self._device
        subscriptions = (topics.down(device), topics.label(device), topics.release)
        self._link = self._make_link(Will(topics.presence(device), encode(will)))
        self._link.open(subscriptions, on_delivery, on_connection)

    def _make_link(self, will: Will) -> Link:
        if self._link_factory is not None or self._config.mqtt is None:
            return (self._link_factory or _no_link)(will)
        from overtone_common.mqtt import Flow, MqttLink

        return MqttLink(
            self._config.mqtt,
            client_id=self._client_id(),
            max_message_bytes=DEFAULT_LIMITS.max_message_bytes,
            error=LinkError,
            will=will,
            flow=Flow(max_in_flight=MAX_IN_FLIGHT, max_queued=MAX_QUEUE, keep_offline=False),
        )

    def connected_again(self) -> None:
        """Send the queued messages; the presence is published with the next `announce`."""
        self._last_presence = b""
        unsent = list(self._unsent)
        self._unsent.clear()
        self.send(unsent)

    def send(self, messages: Iterable[Message]) -> None:
        """Send to the aggregator; without a connection replies and reports are queued, all else is repeated later."""
        for message in messages:
            sent = self._link is not None and self._link.publish(
                self.topics.up(self._device), encode(message), expiry_s=lifetime_s(message)
            )
            if not sent and isinstance(message, RoundReply | Health):
                self._unsent.append(message)

    def announce(self, presence: Presence) -> None:
        """Publish the presence, retained, where it changed."""
        data = encode(presence)
        if data == self._last_presence or self._link is None:
            return
        if self._link.publish(self.topics.presence(self._device), data, retain=True):
            self._last_presence = data

    def publish_event(self, data: bytes) -> bool:
        """Publish an event for the home; return False where there is no connection."""
        topic = self.topics.emotion(self._device)
        return self._link is not None and self._link.publish(topic, data, expiry_s=EVENT_EXPIRY_S)

    def close(self, presence: Presence) -> None:
        """Publish the last presence and disconnect."""
        if self._link is not None:
            self.announce(presence)
            self._link.close()


def _no_link(_will: Will) -> Link:
    raise AssertionError("an uplink without configuration is not started")
