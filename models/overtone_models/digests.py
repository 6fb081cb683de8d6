"""SHA-256 digests of bytes and of JSON-like mappings."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any


def digest_bytes(data: bytes) -> str:
    """Return the SHA-256 of `data` as 64 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def digest_mapping(mapping: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a mapping written as JSON with sorted keys and no white space."""
    text = json.dumps(mapping, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return digest_bytes(text.encode())
