"""An in-memory broker with the parts of MQTT that matter here, for tests of either side.

Wildcards, retained messages, wills, sessions that outlive a connection, and messages that are
delivered again until they are acknowledged. Delivery happens in the publisher's thread.
"""

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from overtone_cloud.aggregator.link import Incoming, OnMessage, OnState


def matches(pattern: str, topic: str) -> bool:
    """Return whether an MQTT topic filter (`+`, `#`) covers a topic."""
    wanted, given = pattern.split("/"), topic.split("/")
    for index, part in enumerate(wanted):
        if part == "#":
            return True
        if index >= len(given) or part not in ("+", given[index]):
            return False
    return len(wanted) == len(given)


@dataclass
class _Session:
    """What the broker keeps for one client."""

    subscriptions: set[str] = field(default_factory=set)
    waiting: deque[Incoming] = field(default_factory=deque)
    unacknowledged: dict[int, Incoming] = field(default_factory=dict)
    link: "LoopbackLink | None" = None


class LoopbackBroker:
    """Sessions, retained messages, and a record of everything that was published."""

    def __init__(self) -> None:
        self.retained: dict[str, bytes] = {}
        self.published: list[tuple[str, str, bytes]] = []
        """`(client, topic, payload)` in order."""
        self._sessions: dict[str, _Session] = {}
        self._lock = threading.RLock()
        self._packet = 0

    def link(self, client_id: str, *, will: tuple[str, bytes] | None = None) -> "LoopbackLink":
        """Return a client's link; `will` is published, retained, when it is dropped."""
        return LoopbackLink(self, client_id, will)

    def publish(self, client_id: str, topic: str, payload: bytes, *, retain: bool) -> None:
        """Deliver to every matching session, at once where one is connected."""
        with self._lock:
            self.published.append((client_id, topic, payload))
            if retain:
                self.retained[topic] = payload
                if not payload:
                    del self.retained[topic]
            for session in self._sessions.values():
                if any(matches(pattern, topic) for pattern in session.subscriptions):
                    self._packet += 1
                    session.waiting.append(Incoming(topic, payload, False, (0, self._packet)))
        self._deliver()

    def attach(self, link: "LoopbackLink", subscriptions: Sequence[str]) -> None:
        """Connect a client: what it has not acknowledged comes again, then retained messages."""
        with self._lock:
            session = self._sessions.setdefault(link.client_id, _Session())
            session.link = link
            session.subscriptions.update(subscriptions)
            session.waiting.extendleft(reversed(session.unacknowledged.values()))
            session.unacknowledged.clear()
            for topic, payload in self.retained.items():
                if any(matches(pattern, topic) for pattern in subscriptions):
                    self._packet += 1
                    session.waiting.append(Incoming(topic, payload, True, (0, self._packet)))
        self._deliver()

    def detach(self, client_id: str) -> None:
        """Disconnect a client; its session stays."""
        with self._lock:
            self._sessions[client_id].link = None

    def ack(self, client_id: str, packet: int) -> None:
        """Forget a delivered message."""
        with self._lock:
            self._sessions[client_id].unacknowledged.pop(packet, None)

    def unacknowledged(self, client_id: str) -> int:
        """Return how many messages a client holds without having acknowledged them."""
        with self._lock:
            return len(self._sessions[client_id].unacknowledged)

    def _deliver(self) -> None:
        while (due := self._next()) is not None:
            link, incoming = due
            link.deliver(incoming)

    def _next(self) -> "tuple[LoopbackLink, Incoming] | None":
        with self._lock:
            for session in self._sessions.values():
                if session.link is not None and session.waiting:
                    incoming = session.waiting.popleft()
                    session.unacknowledged[incoming.token[1]] = incoming
                    return session.link, incoming
        return None


class LoopbackLink:
    """One client of a `LoopbackBroker`; fits `Link`."""

    def __init__(self, broker: LoopbackBroker, client_id: str, will: tuple[str, bytes] | None) -> None:
        self.client_id = client_id
        self._broker = broker
        self._will = will
        self._on_message: OnMessage = lambda _: None
        self._on_state: OnState = lambda _, __: None

    def open(self, subscriptions: Sequence[str], on_message: OnMessage, on_state: OnState) -> None:
        """Connect at once."""
        self._on_message, self._on_state = on_message, on_state
        on_state(True, "connected to the loopback broker")
        self._broker.attach(self, subscriptions)

    def deliver(self, incoming: Incoming) -> None:
        """Hand a message to the client."""
        self._on_message(incoming)

    def publish(self, topic: str, payload: bytes, *, retain: bool = False, expiry_s: int | None = None) -> None:
        """Send a message."""
        self._broker.publish(self.client_id, topic, payload, retain=retain)

    def ack(self, incoming: Incoming) -> None:
        """Acknowledge a message."""
        self._broker.ack(self.client_id, incoming.token[1])

    def close(self) -> None:
        """Disconnect in good order, without a will."""
        self._broker.detach(self.client_id)

    def drop(self) -> None:
        """Lose the connection: the broker publishes the will."""
        self._broker.detach(self.client_id)
        self._on_state(False, "connection lost")
        if self._will is not None:
            self._broker.publish(self.client_id, *self._will, retain=True)
