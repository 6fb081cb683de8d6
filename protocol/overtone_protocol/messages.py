"""`encode` and `decode`: every message of the protocol in its envelope.

The envelope's `from` is the field `device` of the messages that have one; the others are the aggregator's.
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
from overtone_protocol.schema import check_fields, rules_of, shown, values_of
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
    """Return the CBOR of a message; raise MessageError for a field or size that the limits do not allow."""
    checked = check_fields(message.kind, type(message), values_of(message), limits)
    return wire.dumps(envelope(message.kind, checked), what="message", limit_bytes=limits.max_message_bytes)


def decode(data: bytes, limits: Limits = DEFAULT_LIMITS) -> Message:
    """Return the message that `data` holds; raise MessageError for any other bytes."""
    content = wire.loads(data, what="message", limit_bytes=limits.max_message_bytes, limits=limits)
    kind = content.get("kind")
    message = MESSAGES.get(kind) if isinstance(kind, str) else None
    if message is None:
        raise MessageError(f"unknown kind {shown(kind)}; known are {', '.join(MESSAGES)}")
    return message(**check_fields(message.kind, message, open_envelope(message, content), limits))


def sender(message: Message) -> str:
    """Return the envelope's `from`: the device, or "aggregator"."""
    name: str = getattr(message, "device", AGGREGATOR)
    return name


def lifetime_s(message: Message) -> int | None:
    """Return the Message Expiry Interval a message is published with (docs/protocol.md, section 2); None for none."""
    if isinstance(message, RoundCall):
        return max(1, math.ceil(message.deadline_s))
    return TRANSFER_LIFETIME_S if isinstance(message, Wanted | Chunk | Fetch) else None


def envelope(kind: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the map on the wire of a message's checked field values."""
    rest = {name: value for name, value in values.items() if name != "device"}
    return {"v": VERSION, "kind": kind, "from": values.get("device", AGGREGATOR), **rest}


def open_envelope(message: type, content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the field values of a map from the wire, `from` as `device`; raise MessageError."""
    kind = content["kind"]
    for name in ("v", "from"):
        if name not in content:
            raise MessageError(f"{kind}: field {name} is missing")
    version = content["v"]
    if type(version) is not int or version != VERSION:
        raise MessageError(f"{kind}: v is {shown(version)}, this software speaks {VERSION}")
    values = {name: value for name, value in content.items() if name not in ("v", "kind", "from")}
    if "device" in values:
        raise MessageError(f"{kind}: unknown field 'device'; the sender stands in from")
    if "device" in rules_of(message):
        values["device"] = content["from"]
    elif content["from"] != AGGREGATOR:
        raise MessageError(f"{kind}: from is {shown(content['from'])}, only {AGGREGATOR} sends this")
    return values
