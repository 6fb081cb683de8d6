"""Protocol between devices and aggregator: messages, transfers and weight updates (docs/protocol.md)."""

from overtone_protocol.chunks import Assembly, chunk_count, expand, split
from overtone_protocol.errors import MessageError, ProtocolError, TransferError, UpdateError
from overtone_protocol.limits import DEFAULT_LIMITS, Limits
from overtone_protocol.messages import Message, decode, encode, lifetime_s, sender
from overtone_protocol.presence import Presence
from overtone_protocol.release import Fetch, Health, Release
from overtone_protocol.rounds import RoundCall, RoundReply
from overtone_protocol.schema import clip_text
from overtone_protocol.topics import AGGREGATOR, Topics
from overtone_protocol.transfers import Chunk, Offer, Receipt, Wanted
from overtone_protocol.update import Update, check_update, decode_update, encode_update

__all__ = [
    "AGGREGATOR",
    "DEFAULT_LIMITS",
    "Assembly",
    "Chunk",
    "Fetch",
    "Health",
    "Limits",
    "Message",
    "MessageError",
    "Offer",
    "Presence",
    "ProtocolError",
    "Receipt",
    "Release",
    "RoundCall",
    "RoundReply",
    "Topics",
    "TransferError",
    "Update",
    "UpdateError",
    "Wanted",
    "check_update",
    "chunk_count",
    "clip_text",
    "decode",
    "decode_update",
    "encode",
    "encode_update",
    "expand",
    "lifetime_s",
    "sender",
    "split",
]
