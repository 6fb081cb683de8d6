"""The link to the broker as the agent sees it, and its twin in memory."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True)
class Delivery:
    """A message from the broker; `acknowledge` after its effect is on the disk, not before."""

    topic: str
    payload: bytes
    acknowledge: Callable[[], None] = field(default=lambda: None, compare=False)


OnDelivery = Callable[[Delivery], None]
OnConnection = Callable[[bool], None]


class Link(Protocol):
    """A connection that looks after itself: it connects, waits and connects again."""

    def start(self, on_delivery: OnDelivery, on_connection: OnConnection) -> None:
        """Begin to connect; both callbacks come from the link's own thread."""
        ...

    def publish(self, topic: str, payload: bytes, *, retain: bool = False, expiry_s: int | None = None) -> bool:
        """Hand a message over (QoS 1); return False where there is no connection now."""
        ...

    @property
    def connected(self) -> bool:
        """Whether there is a connection now."""
        ...

    def close(self) -> None:
        """Disconnect in order; no will is sent."""
        ...


@dataclass(frozen=True)
class Will:
    """The retained message that the broker sends when the connection is lost."""

    topic: str
    payload: bytes


class LoopbackBroker:
    """A broker in memory: retained messages, wills and sessions (subscriptions keep messages while away)."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self.retained: dict[str, bytes] = {}
        self._links: list[LoopbackLink] = []
        self.published: list[tuple[str, bytes]] = []

    def attach(self, link: "LoopbackLink") -> None:
        """Connect a link: it gets what is retained and what waited for it."""
        with self._lock:
            if link not in self._links:
                self._links.append(link)
            for topic, payload in sorted(self.retained.items()):
                link.offer(Delivery(topic, payload))

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Deliver to every link that subscribed."""
        with self._lock:
            self.published.append((topic, payload))
            if retain:
                self.retained[topic] = payload
            for link in list(self._links):
                link.offer(Delivery(topic, payload))


class LoopbackLink:
    """The twin of the MQTT link; `drop()` and `restore()` play a network that goes and comes back."""

    def __init__(self, broker: LoopbackBroker, subscriptions: tuple[str, ...], will: Will | None = None) -> None:
        self._broker = broker
        self._subscriptions = subscriptions
        self._will = will
        self._waiting: list[Delivery] = []
        self._on_delivery: OnDelivery | None = None
        self._on_connection: OnConnection | None = None
        self.connected = False

    def start(self, on_delivery: OnDelivery, on_connection: OnConnection) -> None:
        """Connect at once."""
        self._on_delivery, self._on_connection = on_delivery, on_connection
        self.restore()

    def restore(self) -> None:
        """Connect; what waited in the session is delivered."""
        self.connected = True
        if self._on_connection is not None:
            self._on_connection(True)
        waiting, self._waiting = self._waiting, []
        for delivery in waiting:
            self.offer(delivery)
        self._broker.attach(self)

    def drop(self) -> None:
        """Lose the connection; the broker sends the will."""
        self.connected = False
        if self._will is not None:
            self._broker.publish(self._will.topic, self._will.payload, retain=True)
        if self._on_connection is not None:
            self._on_connection(False)

    def offer(self, delivery: Delivery) -> None:
        """Take a message if the link subscribed to its topic; keep it while there is no connection."""
        if not any(_matches(pattern, delivery.topic) for pattern in self._subscriptions):
            return
        if self.connected and self._on_delivery is not None:
            self._on_delivery(delivery)
        else:
            self._waiting.append(delivery)

    def publish(self, topic: str, payload: bytes, *, retain: bool = False, expiry_s: int | None = None) -> bool:
        """Publish, unless there is no connection."""
        if not self.connected:
            return False
        self._broker.publish(topic, payload, retain=retain)
        return True

    def close(self) -> None:
        """Disconnect; no will is sent."""
        self.connected = False


def _matches(pattern: str, topic: str) -> bool:
    """Return whether a topic fits a subscription with `+` in it."""
    levels, parts = pattern.split("/"), topic.split("/")
    return len(levels) == len(parts) and all(level in ("+", part) for level, part in zip(levels, parts, strict=True))
