"""Encoding and decoding of protocol messages in their envelope.

The envelope's `from` is the field `device` of messages that have one; the aggregator sends all others.
"""

import math
from collections.abc import Mapping
from typing import Any

from overtone_protocol import wire
from overtone_protocol.errors import MessageError
from overtone_protocol.limits import DEFAULT_LIMITS, Limits
from overtone_protocol.presence import Presence
from overtone_protocol.release import Fetch, Health, Release
from overtone_protocol.rounds import RoundCall, RoundReply
from overtone_protocol.schema import check_fields, printable, rules_of, values_of
from overtone_protocol.topics import AGGREGATOR
from overtone_protocol.transfers import Chunk, Offer, Receipt, Wanted

VERSION = 1
TRANSFER_LIFETIME_S = 3600

Message = Presence | RoundCall | RoundReply | Offer | Wanted | Chunk | Receipt | Release | Fetch | Health

MESSAGES: dict[str, type[Message]] = {
    message.kind: message
    for message in (
        Presence,
        RoundCall,
        RoundReply,
        Offer,
        Wanted,
        Chunk,
        Receipt,
        Release,
        Fetch,
        Health,
    )
}


def encode(message: Message, limits: Limits = DEFAULT_LIMITS) -> bytes:
    """Return a message as CBOR; raise MessageError for a field or size that exceeds the limits."""
    values = check_fields(message.kind, type(message), values_of(message), limits)
    return wire.dumps(envelope(message.kind, values), what="message", limit_bytes=limits.max_message_bytes)


def decode(data: bytes, limits: Limits = DEFAULT_LIMITS) -> Message:
    """Return the message in `data`; raise MessageError for anything else."""
    content = wire.loads(data, what="message", limit_bytes=limits.max_message_bytes, limits=limits)
    kind = content.get("kind")
    message = MESSAGES.get(kind) if isinstance(kind, str) else None
    if message is None:
        raise MessageError(f"unknown kind {printable(kind)}; it must be one of {', '.join(MESSAGES)}")
    return message(**check_fields(message.kind, message, open_envelope(message, content), limits))


def sender(message: Message) -> str:
    """Return the envelope's `from`: the device, or "aggregator"."""
    name: str = getattr(message, "device", AGGREGATOR)
    return name


def lifetime_s(message: Message) -> int | None:
    """Return the Message Expiry Interval of a message (docs/protocol.md, section 2); None for no expiry."""
    if isinstance(message, RoundCall):
        return max(1, math.ceil(message.deadline_s))
    return TRANSFER_LIFETIME_S if isinstance(message, Wanted | Chunk | Fetch) else None


def envelope(kind: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the map on the wire for a message's validated field values."""
    rest = {name: value for name, value in values.items() if name != "device"}
    return {"v": VERSION, "kind": kind, "from": values.get("device", AGGREGATOR), **rest}


def open_envelope(message: type, content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the field values of a map from the wire, `from` as `device`; raise MessageError for a wrong envelope."""
    kind = content["kind"]
    for name in ("v", "from"):
        if name not in content:
            raise MessageError(f"{kind}: field {name} is missing")
    version = content["v"]
    if type(version) is not int or version != VERSION:
        raise MessageError(f"{kind}: v is {printable(version)}, this software supports {VERSION}")
    values = {name: value for name, value in content.items() if name not in ("v", "kind", "from")}
    if "device" in values:
        raise MessageError(f"{kind}: unknown field 'device'; the sender belongs in from")
    if "device" in rules_of(message):
        values["device"] = content["from"]
    elif content["from"] != AGGREGATOR:
        raise MessageError(f"{kind}: from is {printable(content['from'])}, only {AGGREGATOR} sends this")
    return values
