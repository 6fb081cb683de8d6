"""What the aggregator needs of MQTT: messages that stay the broker's until they are acknowledged."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Incoming:
    """A message that was delivered and not acknowledged yet."""

    topic: str
    payload: bytes
    retained: bool = False
    token: tuple[int, int] = (0, 0)
    """What the link needs to acknowledge it; meaningless to others."""


OnMessage = Callable[[Incoming], None]
OnState = Callable[[bool, str], None]
"""Called with whether the broker is connected and has confirmed the subscriptions, and a line that says so."""


class Link(Protocol):
    """A connection that keeps itself up; every method may be called from any thread."""

    def open(self, subscriptions: Sequence[str], on_message: OnMessage, on_state: OnState) -> None:
        """Begin to connect and return at once; an absent broker is tried again with backoff."""
        ...

    def publish(self, topic: str, payload: bytes, *, retain: bool = False, expiry_s: int | None = None) -> None:
        """Send with QoS 1; kept in memory while the broker is away, and by the broker for `expiry_s`."""
        ...

    def ack(self, incoming: Incoming) -> None:
        """Tell the broker that a message needs not be delivered again."""
        ...

    def close(self) -> None:
        """Send what is waiting (within a few seconds) and disconnect."""
        ...
