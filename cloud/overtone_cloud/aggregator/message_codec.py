"""Encoding of messages for their MQTT topics and decoding of received ones, with a count of bytes."""

from dataclasses import dataclass

from overtone_cloud.aggregator.releases import announcement
from overtone_cloud.aggregator.state import ReleaseRow
from overtone_protocol import (
    Chunk,
    Fetch,
    Health,
    Limits,
    Message,
    MessageError,
    Offer,
    Presence,
    RoundReply,
    Topics,
    decode,
    encode,
    lifetime_s,
    sender,
)

UPWARD = (RoundReply, Offer, Chunk, Fetch, Health)
"""Messages that devices may send on `up`."""


@dataclass(frozen=True)
class OutgoingMessage:
    """A message to publish once the transaction is committed."""

    topic: str
    payload: bytes
    retain: bool = False
    expiry_s: int | None = None
    """How long the broker holds it for an offline device; None for no limit."""


class MessageCodec:
    """Encodes and decodes the messages of one fleet, and counts their bytes."""

    def __init__(self, fleet: str, limits: Limits) -> None:
        self._topics = Topics(fleet)
        self._limits = limits
        self.bytes_up = 0
        self.bytes_down = 0

    @property
    def subscriptions(self) -> tuple[str, ...]:
        """The MQTT topic filters that the aggregator subscribes to."""
        return self._topics.any_presence, self._topics.any_up

    def read(self, topic: str, payload: bytes) -> tuple[str, Message | None]:
        """Return the topic's device and its message (None where its retained presence was removed).

        Raises MessageError for bytes that are not a message, or a message from another device.
        """
        self.bytes_up += len(payload)
        device = self._topics.device_of(topic)
        presence = topic == self._topics.presence(device)
        if presence and not payload:
            return device, None
        message = decode(payload, self._limits)
        if sender(message) != device:
            raise MessageError(f"message is from {sender(message)!r}, the topic is {device!r}'s")
        if not isinstance(message, Presence if presence else UPWARD):
            raise MessageError(f"{message.kind} does not belong on this topic")
        return device, message

    def down(self, device: str, message: Message) -> OutgoingMessage:
        """Return an encoded message to one device."""
        payload = encode(message, self._limits)
        return self._count(OutgoingMessage(self._topics.down(device), payload, expiry_s=lifetime_s(message)))

    def release(self, row: ReleaseRow) -> OutgoingMessage:
        """Return the retained announcement of a release."""
        payload = encode(announcement(row, self._limits), self._limits)
        return self._count(OutgoingMessage(self._topics.release, payload, retain=True))

    def _count(self, outgoing: OutgoingMessage) -> OutgoingMessage:
        self.bytes_down += len(outgoing.payload)
        return outgoing
