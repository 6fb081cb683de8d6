"""The test vectors of docs/protocol.md: `python -m tests.protocol.vectors --check` or `--write`.

`vectors.json` holds every message as JSON fields (byte strings as `{"hex": ...}`) beside its CBOR, and
byte strings that a reader must refuse.
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cbor2
import numpy as np

from overtone_protocol import (
    Chunk,
    Fetch,
    Health,
    Offer,
    Presence,
    Receipt,
    Release,
    RoundCall,
    RoundReply,
    Update,
    Wanted,
    encode,
    encode_update,
    messages,
    update,
)

PATH = Path(__file__).with_name("vectors.json")


def digest(text: str) -> bytes:
    """Return the SHA-256 of `text`: where the vectors need some digest."""
    return hashlib.sha256(text.encode()).digest()


BASE, LAYOUT, FRONT_END, BUNDLE = (digest(name) for name in ("base", "layout", "front end", "bundle"))
BOOT, ROUND, UPDATE = (digest(name)[:16] for name in ("boot", "round", "update"))
FACTS: dict[str, Any] = {"bundle": BUNDLE, "base": BASE, "layout": LAYOUT, "front_end": FRONT_END}
LINEAGE: dict[str, Any] = {"base": BASE, "layout": LAYOUT, "front_end": FRONT_END}


def example_updates() -> dict[str, Update]:
    """Return one update for each encoding; the second one's ends saturate in binary16."""
    delta = np.array([0.5, -0.25, 1.0, 1e-3], np.float32)
    extreme = np.array([0.5, -0.25, 1e6, -1e6], np.float32)
    common: dict[str, Any] = {"device": "pi-kitchen", "round_id": ROUND, "scope": "head", **LINEAGE}
    numbers: dict[str, Any] = {"examples": 12, "steps": 20, "loss_before": 1.75, "loss_after": 1.1}
    return {
        "update-f32": Update(UPDATE, **common, **numbers, encoding="f32", delta=delta),
        "update-f16": Update(UPDATE, **common, **numbers, encoding="f16", delta=extreme),
    }


def example_messages() -> dict[str, messages.Message]:
    """Return at least one message of every kind."""
    payload = encode_update(example_updates()["update-f32"])
    transfer = hashlib.sha256(payload).digest()
    pi, chunk_size = "pi-kitchen", 256
    chunks = -(-len(payload) // chunk_size)
    call = {"base": BASE, "layout": LAYOUT, "steps": 20, "learning_rate": 0.05, "momentum": 0.9}
    return {
        "presence-online": Presence(
            pi,
            True,
            BOOT,
            "overtone 0.1.0",
            "ai-edge-litert 2.3.0",
            **FACTS,
            bundle_version=3,
            examples=40,
            held_out=10,
        ),
        "presence-will": Presence(pi, False, BOOT, "overtone 0.1.0", "ai-edge-litert 2.3.0"),
        "round-call": RoundCall(7, ROUND, "head", **call, seed=2**53, deadline_s=600.0, max_norm=100.0),
        "round-reply-join": RoundReply(pi, ROUND, True),
        "round-reply-decline": RoundReply(pi, ROUND, False, "too-few-examples: there are 0, limit is 4"),
        "offer": Offer(pi, transfer, "update", ROUND, len(payload), chunk_size, chunks),
        "wanted": Wanted(transfer, [(0, chunks - 1)]),
        "wanted-ranges": Wanted(digest("another"), [(0, 2), (5, 5), (9, 300)]),
        "chunk-up": Chunk(pi, transfer, chunks - 1, payload[(chunks - 1) * chunk_size :]),
        "chunk-down": Chunk("aggregator", BUNDLE, 0, bytes(range(16))),
        "receipt-accepted": Receipt(transfer, "accepted"),
        "receipt-refused": Receipt(transfer, "refused", "wrong-base: update has 00, the round has 01"),
        "release": Release(BUNDLE, 4, 150_000, 60_000, 3, BASE, 7),
        "fetch": Fetch(pi, BUNDLE, [0, 1, 2]),
        "health": Health(pi, BUNDLE, 4, "rolled-back", "golden clip differs by 0.4, limit is 0.02"),
        "health-quality": Health(pi, BUNDLE, 4, "installed", held_out=10, uar=0.7, loss=0.8125),
    }


def example_refused() -> dict[str, bytes]:
    """Return byte strings that are no message."""
    good = cbor2.loads(encode(example_messages()["receipt-accepted"]))
    plain = cbor2.dumps(good, canonical=True)

    def changed(**fields: object) -> bytes:
        return cbor2.dumps({**good, **fields}, canonical=True)

    report = cbor2.loads(encode(example_messages()["health-quality"]))

    def quality(**fields: object) -> bytes:
        values = {key: value for key, value in {**report, **fields}.items() if value is not None}
        return cbor2.dumps(values, canonical=True)

    return {
        "empty": b"",
        "not-a-map": bytes.fromhex("8101"),
        "cut": plain[:-1],
        "bytes-after-the-end": plain + b"\x00",
        "indefinite-map": b"\xbf" + plain[1:] + b"\xff",
        "duplicate-key": bytes([plain[0] + 1]) + plain[1:] + bytes.fromhex("617601"),
        "tag": changed(reason=cbor2.CBORTag(1000, "x")),
        "bignum": changed(v=2**70),
        "text-that-is-not-utf-8": changed(reason="?").replace(b"a?", b"a\xff"),
        "unknown-version": changed(v=2),
        "version-as-a-float": changed(v=1.0),
        "unknown-kind": changed(kind="pardon"),
        "unknown-field": changed(extra=1),
        "missing-field": cbor2.dumps({k: v for k, v in good.items() if k != "reason"}, canonical=True),
        "wrong-type": changed(reason=5),
        "wrong-word": changed(status="maybe"),
        "short-digest": changed(transfer=b"\x00" * 31),
        "long-text": changed(reason="é" * 257),
        "from-a-device": changed(**{"from": "pi-kitchen"}),
        "quality-incomplete": quality(loss=None),
        "quality-null": cbor2.dumps({**report, "uar": None}, canonical=True),
        "quality-of-nothing": quality(held_out=0),
        "recall-above-1": quality(uar=1.25),
    }


def as_json(value: object) -> Any:
    """Return a field's value as JSON: byte strings as `{"hex": ...}`."""
    if isinstance(value, bytes):
        return {"hex": value.hex()}
    if isinstance(value, list):
        return [as_json(item) for item in value]
    return value


def entry(name: str, data: bytes) -> dict[str, Any]:
    """Return one vector: the fields of the map and the bytes."""
    fields = {key: as_json(value) for key, value in cbor2.loads(data).items()}
    return {"name": name, "fields": fields, "cbor": data.hex()}


def generate() -> str:
    """Return the text of vectors.json."""
    updates = []
    for name, item in example_updates().items():
        values = update.decode_update(encode_update(item)).delta
        updates.append({**entry(name, encode_update(item)), "delta": [float(value) for value in values]})
    content = {
        "protocol": messages.VERSION,
        "messages": [entry(name, encode(message)) for name, message in example_messages().items()],
        "updates": updates,
        "refused": [{"name": name, "cbor": data.hex()} for name, data in example_refused().items()],
    }
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def main(argv: Sequence[str] | None = None) -> int:
    """Write vectors.json, or return 1 when it is not what the code makes."""
    parser = argparse.ArgumentParser(description=__doc__)
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("--check", action="store_true")
    action.add_argument("--write", action="store_true")
    if parser.parse_args(argv).write:
        PATH.write_text(generate(), encoding="utf-8")
        return 0
    if PATH.read_text(encoding="utf-8") == generate():
        return 0
    print(f"{PATH.name} is not what this code makes; look why, then run with --write", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
