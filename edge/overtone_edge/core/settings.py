"""A TOML table into a frozen dataclass: names, types, units and limits are checked once, here."""

import difflib
import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin

from overtone_edge.core.errors import ConfigError

T = TypeVar("T")

_UNITS = {
    "_s": "seconds",
    "_ms": "milliseconds",
    "_hz": "hertz",
    "_bytes": "bytes",
    "_fraction": "a part of 1",
}
_NAMES = {
    int: "a whole number",
    float: "a number",
    str: "a text",
    bool: "true or false",
    Path: "a path as text",
}


def read_section(cls: type[T], table: object, *, where: str, folder: Path) -> T:
    """Return `cls` filled from a TOML table; raise ConfigError that begins with `where`."""
    if not isinstance(table, Mapping):
        raise ConfigError(f"{where} must be a section, got {table!r}")
    known: dict[str, Field[Any]] = {field.name: field for field in fields(cls)}  # type: ignore[arg-type]
    for key in table:
        if key not in known:
            raise ConfigError(f"{where} has an unknown key {key!r}{_suggestion(key, list(known))}")
    hints = typing.get_type_hints(cls)
    values: dict[str, Any] = {}
    for name, field in known.items():
        if name in table:
            value = _convert(table[name], hints[name], where=f"{where} {name}", unit=_unit(name), folder=folder)
            _check_limits(value, field.metadata, f"{where} {name}")
            values[name] = value
        elif field.default is MISSING and field.default_factory is MISSING:
            raise ConfigError(f"{where} {name} is missing")
    return cls(**values)


def _suggestion(key: str, known: list[str]) -> str:
    stem = key.rsplit("_", 1)[0]
    close = [name for name in known if name.rsplit("_", 1)[0] == stem] or difflib.get_close_matches(key, known, 1)
    if not close:
        return f"; known keys are {', '.join(known)}"
    unit = _unit(close[0])
    return f"; did you mean {close[0]!r}{f' (in {unit})' if unit else ''}?"


def _unit(name: str) -> str:
    return next((unit for suffix, unit in _UNITS.items() if name.endswith(suffix)), "")


def _convert(value: Any, hint: Any, *, where: str, unit: str, folder: Path) -> Any:
    """Return `value` as the type that `hint` asks for."""
    origin = get_origin(hint)
    if origin in (types.UnionType, typing.Union):
        return _convert_union(value, hint, where=where, unit=unit, folder=folder)
    if origin is Literal:
        if value not in get_args(hint):
            raise ConfigError(f"{where} is {value!r}; it must be one of {', '.join(map(repr, get_args(hint)))}")
        return value
    if origin is tuple:
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise ConfigError(f"{where} must be a list of texts, got {value!r}")
        return tuple(value)
    if hint is Path and isinstance(value, str) and value and "\0" not in value:
        return folder / _expanded(value, where)
    if hint is float and type(value) is int:
        return _float(value, where)
    if type(value) is hint and hint is not Path:
        return value
    wanted = _NAMES.get(hint, str(hint))
    raise ConfigError(f"{where} must be {wanted}{f' ({unit})' if unit else ''}, got {value!r}")


def _expanded(value: str, where: str) -> Path:
    try:
        return Path(value).expanduser()
    except RuntimeError as error:
        raise ConfigError(f"{where} is {value!r}: {error}") from error


def _float(value: int, where: str) -> float:
    try:
        return float(value)
    except OverflowError as error:
        raise ConfigError(f"{where} is too large for a number") from error


def _convert_union(value: Any, hint: Any, *, where: str, unit: str, folder: Path) -> Any:
    choices = [choice for choice in get_args(hint) if choice is not types.NoneType]
    for choice in choices[:-1]:
        if type(value) is choice:
            return value
    return _convert(value, choices[-1], where=where, unit=unit, folder=folder)


def _check_limits(value: Any, metadata: Mapping[str, Any], where: str) -> None:
    if "low" not in metadata or value is None:
        return
    low, high = metadata["low"], metadata["high"]
    if not low <= value <= high:  # neither holds for nan
        raise ConfigError(f"{where} is {value}, limit is {low:g}..{high:g}")
