"""CBOR serialisation: canonical encoding, strict and bounded decoding.

`loads` scans the bytes before cbor2 parses them, so that a hostile message costs no more than one pass
over its item heads: nothing is allocated for the lengths and depths that it declares.
"""

from collections.abc import Mapping
from typing import Any

import cbor2

from overtone_protocol.errors import MessageError
from overtone_protocol.limits import Limits

_BYTES, _TEXT, _ARRAY, _MAP, _TAG, _SIMPLE = 2, 3, 4, 5, 6, 7
_FALSE, _NULL = 20, 22
_FLOAT_INFO = (25, 26, 27)


def dumps(fields: Mapping[str, Any], *, what: str, limit_bytes: int) -> bytes:
    """Return a map as CBOR (RFC 8949 core deterministic encoding); raise MessageError above `limit_bytes`."""
    try:
        data = cbor2.dumps(dict(fields), canonical=True)
    except (cbor2.CBOREncodeError, UnicodeError, OverflowError) as error:
        raise MessageError(f"{what} cannot be encoded: {error}") from error
    check_size(data, what=what, limit_bytes=limit_bytes)
    return data


def loads(data: bytes, *, what: str, limit_bytes: int, limits: Limits) -> dict[str, Any]:
    """Return the map in `data`; raise MessageError for anything but one well-formed map."""
    check_size(data, what=what, limit_bytes=limit_bytes)
    scan(data, what=what, limits=limits)
    try:
        value = cbor2.loads(data, allow_indefinite=False, allow_duplicate_keys=False, strict_hashable_types=True)
    except (cbor2.CBORError, ValueError, TypeError) as error:
        raise MessageError(f"{what} is not valid CBOR: {str(error)[:200]!r}") from error
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise MessageError(f"{what} is not a CBOR map with text keys")
    return value


def check_size(data: bytes, *, what: str, limit_bytes: int) -> None:
    """Raise MessageError when `data` is larger than `limit_bytes`."""
    if len(data) > limit_bytes:
        raise MessageError(f"{what} is {len(data)} bytes, limit is {limit_bytes}")


def scan(data: bytes, *, what: str, limits: Limits) -> None:
    """Raise MessageError unless `data` is exactly one well-formed item of the allowed subset of CBOR.

    Allowed are integers, byte and text strings, arrays, maps, false, true, null and floats, of definite
    length, at most `max_depth` deep and at most `max_items` in all.
    """
    position, items = 0, 0
    open_items = [1]
    while open_items:
        if open_items[-1] == 0:
            open_items.pop()
            continue
        open_items[-1] -= 1
        items += 1
        if items > limits.max_items:
            raise MessageError(f"{what} has more than {limits.max_items} CBOR items")
        major, value, position = _head(data, position, what)
        if major in (_BYTES, _TEXT):
            position += value
        elif major in (_ARRAY, _MAP):
            if len(open_items) > limits.max_depth:
                raise MessageError(f"{what} is nested deeper than {limits.max_depth}")
            open_items.append(value if major == _ARRAY else 2 * value)
    if position != len(data):
        problem = "ends too early" if position > len(data) else f"has {len(data) - position} bytes after its end"
        raise MessageError(f"{what} {problem}")


def _head(data: bytes, position: int, what: str) -> tuple[int, int, int]:
    """Return major type, argument and the position after the head that begins at `position`."""
    if position >= len(data):
        raise MessageError(f"{what} ends too early")
    major, info = data[position] >> 5, data[position] & 31
    if major == _TAG:
        raise MessageError(f"{what} has a CBOR tag, which this protocol does not use")
    if major == _SIMPLE and not (_FALSE <= info <= _NULL or info in _FLOAT_INFO):
        raise MessageError(f"{what} has a CBOR simple value ({info}) that this protocol does not use")
    if info > 27:
        raise MessageError(f"{what} has a CBOR item of indefinite length or reserved form")
    position += 1
    if info < 24:
        return major, info, position
    end = position + (1 << (info - 24))
    if end > len(data):
        raise MessageError(f"{what} ends too early")
    return major, int.from_bytes(data[position:end], "big"), end
