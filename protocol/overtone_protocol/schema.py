"""Validation rules for message fields, and conversion between dataclasses and CBOR maps.

A message is a frozen dataclass whose annotations carry the rule of each field
(`Annotated[int, Integer(1, "max_chunks")]`); the same rule validates a value on writing and on reading.
A limit is a number or the name of a field of `Limits`.
"""

import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache
from typing import Annotated, Any, Protocol, Union, get_args, get_origin

from overtone_protocol.errors import MessageError
from overtone_protocol.limits import Limits
from overtone_protocol.topics import check_device, check_name

UINT32 = 2**32 - 1
INT63 = 2**63 - 1


class Rule(Protocol):
    """Validation rule of one field."""

    def read(self, value: object, where: str, limits: Limits) -> object:
        """Return the Python value of the wire's `value`; raise MessageError, whose text begins with `where`."""
        ...


@dataclass(frozen=True)
class Integer:
    """An integer in `low..high`."""

    low: int = 0
    high: int | str = UINT32

    def read(self, value: object, where: str, limits: Limits) -> int:
        """Return the integer."""
        high = _limit(self.high, limits)
        if isinstance(value, bool) or not isinstance(value, int):
            raise _wrong(where, "an integer", value)
        if not self.low <= value <= high:
            raise MessageError(f"{where} is {value}, it must lie in {self.low}..{high}")
        return value


@dataclass(frozen=True)
class Real:
    """A finite number in `low..high`; integers are accepted and become floats."""

    low: float = -1e30
    high: float | str = 1e30

    def read(self, value: object, where: str, limits: Limits) -> float:
        """Return the float."""
        high = _limit(self.high, limits)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise _wrong(where, "a number", value)
        if not self.low <= value <= high:
            raise MessageError(f"{where} is {value}, it must be finite and lie in {self.low:g}..{high:g}")
        return float(value)


@dataclass(frozen=True)
class Flag:
    """true or false."""

    def read(self, value: object, where: str, limits: Limits) -> bool:
        """Return the truth value."""
        if not isinstance(value, bool):
            raise _wrong(where, "true or false", value)
        return value


@dataclass(frozen=True)
class ByteString:
    """A byte string of `low..high` bytes."""

    low: int
    high: int | str

    def read(self, value: object, where: str, limits: Limits) -> bytes:
        """Return the bytes."""
        high = _limit(self.high, limits)
        if not isinstance(value, bytes):
            raise _wrong(where, "a byte string", value)
        if not self.low <= len(value) <= high:
            allowed = f"{high}" if self.low == high else f"{self.low}..{high}"
            raise MessageError(f"{where} is {len(value)} bytes, it must be {allowed}")
        return value


@dataclass(frozen=True)
class String:
    """Text of at most `max_text` bytes of UTF-8."""

    def read(self, value: object, where: str, limits: Limits) -> str:
        """Return the text."""
        if not isinstance(value, str):
            raise _wrong(where, "text", value)
        size = len(value.encode("utf-8", "surrogatepass"))
        if size > limits.max_text:
            raise MessageError(f"{where} is {size} bytes, limit is {limits.max_text}")
        return value


@dataclass(frozen=True)
class Name:
    """A device id; with `anyone`, the aggregator's id as well."""

    anyone: bool = False

    def read(self, value: object, where: str, limits: Limits) -> str:
        """Return the id."""
        if not isinstance(value, str):
            raise _wrong(where, "text", value)
        return check_name(where, value) if self.anyone else check_device(where, value)


@dataclass(frozen=True)
class Choice:
    """One word out of a fixed set."""

    words: tuple[str, ...]

    def read(self, value: object, where: str, limits: Limits) -> str:
        """Return the word."""
        if not isinstance(value, str) or value not in self.words:
            raise MessageError(f"{where} is {printable(value)}, it must be one of {', '.join(self.words)}")
        return value


@dataclass(frozen=True)
class Array:
    """An array of `low..high` items under one rule; read as a tuple."""

    item: Rule
    low: int
    high: int | str

    def read(self, value: object, where: str, limits: Limits) -> tuple[object, ...]:
        """Return the items."""
        high = _limit(self.high, limits)
        if not isinstance(value, Sequence) or isinstance(value, str | bytes):
            raise _wrong(where, "an array", value)
        if not self.low <= len(value) <= high:
            raise MessageError(f"{where} has {len(value)} items, it must have {self.low}..{high}")
        return tuple(self.item.read(item, f"{where}[{i}]", limits) for i, item in enumerate(value))


@dataclass(frozen=True)
class Span:
    """An inclusive range `[first, last]` of chunk indices."""

    def read(self, value: object, where: str, limits: Limits) -> tuple[int, int]:
        """Return `(first, last)`."""
        ends = Array(Integer(0, "last_chunk"), 2, 2).read(value, where, limits)
        first, last = ends
        if not (isinstance(first, int) and isinstance(last, int) and first <= last):
            raise MessageError(f"{where} is [{first}, {last}], first must not be above last")
        return first, last


@dataclass(frozen=True)
class Nullable:
    """null, or a value under `rule`."""

    rule: Rule

    def read(self, value: object, where: str, limits: Limits) -> object:
        """Return None or the value."""
        return None if value is None else self.rule.read(value, where, limits)


@dataclass(frozen=True)
class Optional:
    """A value under `rule` in a key that may be absent; the attribute is None for an absent key."""

    rule: Rule

    def read(self, value: object, where: str, limits: Limits) -> object:
        """Return the value."""
        return self.rule.read(value, where, limits)


DeviceId = Annotated[str, Name()]
SenderId = Annotated[str, Name(anyone=True)]
Digest = Annotated[bytes, ByteString(32, 32)]
Token = Annotated[bytes, ByteString(16, 16)]
Text = Annotated[str, String()]
Boolean = Annotated[bool, Flag()]
Count = Annotated[int, Integer()]


@cache
def rules_of(message: type) -> dict[str, Rule]:
    """Return the rule of each field of a message class, in the order of the class."""
    return {field.name: _rule_of(field.type) for field in fields(message)}


def check_fields(kind: str, message: type, values: Mapping[str, object], limits: Limits) -> dict[str, Any]:
    """Return `values` validated by their rules; raise MessageError for a missing, unknown or invalid field.

    Absent optional fields stay absent.
    """
    rules = rules_of(message)
    for name in values:
        if name not in rules:
            raise MessageError(f"{kind}: unknown field {printable(name)}; it has {', '.join(rules)}")
    for name, rule in rules.items():
        if name not in values and not isinstance(rule, Optional):
            raise MessageError(f"{kind}: field {name} is missing")
    return {name: rule.read(values[name], f"{kind}: {name}", limits) for name, rule in rules.items() if name in values}


def values_of(message: Any) -> dict[str, Any]:
    """Return the fields of a message by name, without optional fields that are None."""
    values = {name: (getattr(message, name), rule) for name, rule in rules_of(message.__class__).items()}
    return {
        name: value for name, (value, rule) in values.items() if value is not None or not isinstance(rule, Optional)
    }


def clip_text(text: str, limits: Limits) -> str:
    """Return `text` on one line, truncated to the limit of text fields (for reasons taken from error messages)."""
    line = " ".join(text.split())
    data = line.encode("utf-8", "replace")[: limits.max_text]
    return data.decode("utf-8", "ignore")


def printable(value: object) -> str:
    """Return an untrusted value for an error message: short, on one line."""
    if isinstance(value, str):
        return repr(value[:80])
    return str(value) if isinstance(value, int | float) else _name_of(value)


def _rule_of(hint: object) -> Rule:
    if get_origin(hint) is Annotated and isinstance(hint.__metadata__[0], Optional):  # type: ignore[attr-defined]
        return hint.__metadata__[0]  # type: ignore[attr-defined]
    if get_origin(hint) in (Union, types.UnionType):
        inner = next(part for part in get_args(hint) if part is not type(None))
        return Nullable(_rule_of(inner))
    rule: Rule = hint.__metadata__[0]  # type: ignore[attr-defined]
    return rule


def _limit(high: Any, limits: Limits) -> Any:
    return getattr(limits, high) if isinstance(high, str) else high


def _wrong(where: str, expected: str, value: object) -> MessageError:
    return MessageError(f"{where} must be {expected}, got {_name_of(value)}")


def _name_of(value: object) -> str:
    return _WIRE_NAMES.get(type(value), type(value).__name__)


_WIRE_NAMES: dict[type, str] = {
    int: "an integer",
    float: "a float",
    bool: "true or false",
    bytes: "a byte string",
    str: "text",
    list: "an array",
    dict: "a map",
    type(None): "null",
}
