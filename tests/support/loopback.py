"""An in-memory broker and its link, for tests of either side.

It has the parts of MQTT that matter here: wildcards, retained messages, wills, sessions that outlive a connection,
and messages that are delivered again until they are acknowledged. Delivery happens in the publisher's thread.
"""

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from overtone_common.link import Delivery, OnConnection, OnDelivery, Will


def matches(pattern: str, topic: str) -> bool:
    """Return whether an MQTT topic filter (`+`, `#`) covers a topic."""
    levels, parts = pattern.split("/"), topic.split("/")
    for index, level in enumerate(levels):
        if level == "#":
            return True
        if index >= len(parts) or level not in ("+", parts[index]):
            return False
    return len(levels) == len(parts)


@dataclass(frozen=True)
class _Message:
    topic: str
    payload: bytes
    retained: bool


@dataclass
class _Session:
    """Session state of one client."""

    subscriptions: set[str] = field(default_factory=set)
    queue: deque[_Message] = field(default_factory=deque)
    unacknowledged: dict[int, _Message] = field(default_factory=dict)
    link: "LoopbackLink | None" = None

    def covers(self, topic: str) -> bool:
        return any(matches(pattern, topic) for pattern in self.subscriptions)


class LoopbackBroker:
    """Sessions, retained messages, and a record of everything that was published."""

    def __init__(self) -> None:
        self.retained: dict[str, bytes] = {}
        self.published: list[tuple[str, bytes]] = []
        """`(topic, payload)` in order."""
        self._sessions: dict[str, _Session] = {}
        self._lock = threading.RLock()
        self._packet = 0

    def link(self, client_id: str, *, will: Will | None = None) -> "LoopbackLink":
        """Return a client's link; its will is published when it is dropped."""
        return LoopbackLink(self, client_id, will)

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Deliver to every matching session, at once where its client is connected."""
        with self._lock:
            self.published.append((topic, payload))
            if retain:
                self.retained[topic] = payload
                if not payload:
                    del self.retained[topic]
            for session in self._sessions.values():
                if session.covers(topic):
                    session.queue.append(_Message(topic, payload, False))
            self._deliver()

    def attach(self, link: "LoopbackLink", subscriptions: Sequence[str]) -> None:
        """Connect a client: deliver unacknowledged messages again, then retained ones."""
        with self._lock:
            session = self._sessions.setdefault(link.client_id, _Session())
            session.link = link
            session.subscriptions.update(subscriptions)
            session.queue.extendleft(reversed(session.unacknowledged.values()))
            session.unacknowledged.clear()
            for topic, payload in sorted(self.retained.items()):
                if session.covers(topic):
                    session.queue.append(_Message(topic, payload, True))
            self._deliver()

    def detach(self, client_id: str) -> None:
        """Disconnect a client; its session stays."""
        with self._lock:
            self._sessions[client_id].link = None

    def unacknowledged(self, client_id: str) -> int:
        """Return the number of delivered messages that a client has not acknowledged."""
        with self._lock:
            return len(self._sessions[client_id].unacknowledged)

    def _deliver(self) -> None:
        while (due := self._next()) is not None:
            link, delivery = due
            link.deliver(delivery)

    def _next(self) -> "tuple[LoopbackLink, Delivery] | None":
        for session in self._sessions.values():
            if session.link is not None and session.queue:
                return session.link, self._delivery(session, session.queue.popleft())
        return None

    def _delivery(self, session: _Session, message: _Message) -> Delivery:
        self._packet += 1
        packet = self._packet
        session.unacknowledged[packet] = message

        def acknowledge() -> None:
            with self._lock:
                session.unacknowledged.pop(packet, None)  # delivered again, it has another packet number

        return Delivery(message.topic, message.payload, message.retained, acknowledge)


class LoopbackLink:
    """One client of a `LoopbackBroker`; fits `Link`. `drop` and `restore` simulate a loss of the network."""

    def __init__(self, broker: LoopbackBroker, client_id: str, will: Will | None) -> None:
        self.client_id = client_id
        self.connected = False
        self._broker = broker
        self._will = will
        self._subscriptions: Sequence[str] = ()
        self._on_delivery: OnDelivery = lambda _: None
        self._on_connection: OnConnection = lambda _: None

    def open(
        self, subscriptions: Sequence[str], on_delivery: OnDelivery, on_connection: OnConnection | None = None
    ) -> None:
        """Connect at once."""
        self._subscriptions, self._on_delivery = subscriptions, on_delivery
        self._on_connection = on_connection or self._on_connection
        self.restore()

    def restore(self) -> None:
        """Connect (again)."""
        self.connected = True
        self._on_connection(True)
        self._broker.attach(self, self._subscriptions)

    def deliver(self, delivery: Delivery) -> None:
        """Deliver a message to the client."""
        self._on_delivery(delivery)

    def publish(self, topic: str, payload: bytes, *, retain: bool = False, expiry_s: int | None = None) -> bool:
        """Send a message; it is refused without a connection."""
        if self.connected:
            self._broker.publish(topic, payload, retain=retain)
        return self.connected

    def close(self) -> None:
        """Disconnect in order, without a will."""
        self._disconnect()

    def drop(self) -> None:
        """Drop the connection: the broker publishes the will."""
        self._disconnect()
        self._on_connection(False)
        if self._will is not None:
            self._broker.publish(self._will.topic, self._will.payload, retain=True)

    def _disconnect(self) -> None:
        self.connected = False
        self._broker.detach(self.client_id)
