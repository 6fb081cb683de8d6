"""Reads TOML files into frozen dataclasses, with every mistake as one line.

A section is a dataclass, its keys are the fields: names with their unit (`hop_ms`), types, and limits in the field's
metadata (`field(default=10, metadata=limits(1, 100))`). Sections may hold sections. A message names file, section,
key, value and limit:

    agent.toml: [decision] smoothing_s must be a number (seconds), got '500ms'
    agent.toml: [decision] threshold is 60.0, limit is 0..1
    agent.toml: [decision] unknown key 'smoothing_ms'; did you mean 'smoothing_s' (in seconds)?
    agent.toml: [decision] smoothing is now called smoothing_s

Relations between fields belong in the dataclass' `__post_init__`, as a ValueError that the reader puts its place
before. Every mistake is raised as the caller's `error`.
"""

import difflib
import math
import tomllib
import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin

T = TypeVar("T")

UNITS = {
    "_s": "seconds",
    "_ms": "milliseconds",
    "_hz": "hertz",
    "_db": "decibels",
    "_bytes": "bytes",
    "_fraction": "a part of 1",
}
TYPE_NAMES = {
    int: "a whole number",
    float: "a number",
    str: "a text",
    bool: "true or false",
    Path: "a path as text",
}


def limits(
    low: float | None = None, high: float | None = None, *, above: float | None = None, below: float | None = None
) -> dict[str, float | None]:
    """Return the metadata of a field whose values lie in `low`..`high`; `above` and `below` are not included."""
    return {"low": low, "high": high, "above": above, "below": below}


def check_value(value: Any, metadata: Mapping[str, Any], name: str) -> None:
    """Raise ValueError that begins with `name` for a number that is not finite or outside the limits."""
    if type(value) is float and not math.isfinite(value):
        raise ValueError(f"{name} is {value}, it must be a finite number")
    if "low" not in metadata or value is None:
        return
    low, high, above, below = (metadata[key] for key in ("low", "high", "above", "below"))
    outside = (
        (low is not None and value < low)
        or (high is not None and value > high)
        or (above is not None and value <= above)
        or (below is not None and value >= below)
    )
    if outside:
        raise ValueError(f"{name} is {value}, limit is {_range(low, high, above, below)}")


def check_limits(config: Any, *, what: str = "", error: type[Exception] = ValueError) -> None:
    """Raise `error` for a field of a dataclass that is outside the limits of its metadata; `what` begins the message.

    For the `__post_init__` of dataclasses that are also created by code; the reader checks by itself.
    """
    for field in fields(config):
        try:
            check_value(getattr(config, field.name), field.metadata, f"{what}{field.name}")
        except ValueError as problem:
            raise error(str(problem)) from problem


def load_toml(path: Path, *, error: type[Exception]) -> dict[str, Any]:
    """Return a TOML file as a table."""
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as problem:
        raise error(f"{path}: {problem.strerror or problem}") from problem
    except (ValueError, RecursionError) as problem:
        raise error(f"{path}: not TOML: {problem}") from problem


def load_config(
    cls: type[T],
    path: Path,
    *,
    error: type[Exception],
    refusals: tuple[type[Exception], ...] = (),
    renamed: Mapping[str, str] | None = None,
) -> T:
    """Return the dataclass `cls` read from a TOML file; relative paths in it start at the file's folder."""
    table = load_toml(path, error=error)
    return read_config(cls, table, where=str(path), folder=path.parent, error=error, refusals=refusals, renamed=renamed)


def read_config(
    cls: type[T],
    table: object,
    *,
    where: str,
    folder: Path,
    error: type[Exception],
    refusals: tuple[type[Exception], ...] = (),
    renamed: Mapping[str, str] | None = None,
) -> T:
    """Return the dataclass `cls` read from a table.

    `where` begins every message. `refusals` are what a `__post_init__` may raise besides ValueError. `renamed` maps
    former keys and sections to today's, both with their section:
    `{"transfers": "quota", "learning.lr": "learning.rate"}`.
    """
    if not isinstance(table, Mapping):
        raise error(f"{where}: must be a table of sections or keys, got {table!r}")
    reader = _Reader(where, folder, error, (ValueError, error, *refusals), renamed or {})
    return reader.section(cls, table, "")


@dataclass(frozen=True)
class _Reader:
    """Reads the sections of one file."""

    source: str
    folder: Path
    error: type[Exception]
    refusals: tuple[type[Exception], ...]
    renamed: Mapping[str, str]

    def section(self, cls: type[T], table: Mapping[str, Any], name: str) -> T:
        """Return `cls` from the table of the section `name` ("" for the whole file)."""
        known: dict[str, Field[Any]] = {field.name: field for field in fields(cls)}  # type: ignore[arg-type]
        hints = typing.get_type_hints(cls)
        for key in table:
            if key not in known:
                raise self._unknown(key, table[key], {key: hints[key] for key in known}, name)
        values: dict[str, Any] = {}
        for key, field in known.items():
            if key in table:
                values[key] = self._value(table[key], field, hints[key], name)
            elif isinstance(field.default, Path):
                values[key] = self.folder / field.default
            elif field.default is MISSING and field.default_factory is MISSING:
                place = f"section [{_joined(name, key)}]" if _section_class(hints[key]) else key
                raise self.error(f"{self._where(name)} {place} is missing")
        try:
            return cls(**values)
        except self.refusals as problem:
            raise self.error(f"{self._where(name)} {problem}") from problem

    def _where(self, name: str) -> str:
        return f"{self.source}: [{name}]" if name else f"{self.source}:"

    def _unknown(self, key: str, value: object, hints: Mapping[str, Any], name: str) -> Exception:
        former = _joined(name, key)
        if (present := self.renamed.get(former)) is not None:
            return self.error(f"{self.source}: {_renaming(former, present, isinstance(value, Mapping))}")
        section = isinstance(value, Mapping)
        what = f"unknown section [{former}]" if section else f"unknown key {key!r}"
        return self.error(f"{self._where(name)} {what}{_suggestion(key, list(hints), section)}")

    def _value(self, value: Any, field: Field[Any], hint: Any, name: str) -> Any:
        if (section := _section_class(hint)) is not None:
            inner = _joined(name, field.name)
            if not isinstance(value, Mapping):
                raise self.error(f"{self.source}: [{inner}] must be a section, got {value!r}")
            return self.section(section, value, inner)
        try:
            converted = _convert(value, hint, field.name, self.folder)
            check_value(converted, field.metadata, field.name)
        except ValueError as problem:
            raise self.error(f"{self._where(name)} {problem}") from problem
        return converted


def _joined(section: str, key: str) -> str:
    return f"{section}.{key}" if section else key


def _section_class(hint: Any) -> type[Any] | None:
    """Return the dataclass that a section's type names, also as `Class | None`; None for a key's type."""
    choices = [choice for choice in (get_args(hint) or (hint,)) if choice is not types.NoneType]
    return choices[0] if len(choices) == 1 and isinstance(choices[0], type) and is_dataclass(choices[0]) else None


def _renaming(former: str, present: str, section: bool) -> str:
    if section:
        return f"section [{former}] is now called [{present}]"
    old_section, _, old_key = former.rpartition(".")
    new_section, _, new_key = present.rpartition(".")
    place = f"[{old_section}] {old_key}" if old_section else old_key
    if old_section == new_section:
        return f"{place} is now called {new_key}"
    return f"{place} is now {f'[{new_section}] ' if new_section else ''}{new_key}"


def _suggestion(key: str, known: list[str], section: bool) -> str:
    stem = key.rsplit("_", 1)[0]
    close = [name for name in known if name.rsplit("_", 1)[0] == stem] or difflib.get_close_matches(key, known, 1, 0.5)
    if not close:
        return f"; {'there are' if section else 'known keys are'} {', '.join(known)}"
    if section:
        return f"; did you mean [{close[0]}]?"
    unit = _unit(close[0])
    return f"; did you mean {close[0]!r}{f' (in {unit})' if unit else ''}?"


def _unit(name: str) -> str:
    return next((unit for suffix, unit in UNITS.items() if name.endswith(suffix)), "")


def _convert(value: Any, hint: Any, name: str, folder: Path) -> Any:
    """Return `value` as the type `hint`; raise ValueError that begins with the key's name."""
    origin = get_origin(hint)
    if origin in (types.UnionType, typing.Union):
        return _convert_union(value, hint, name, folder)
    if origin is Literal:
        if value not in get_args(hint):
            raise ValueError(f"{name} is {value!r}; it must be one of {', '.join(map(repr, get_args(hint)))}")
        return value
    if origin is tuple:
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise ValueError(f"{name} must be a list of texts, got {value!r}")
        return tuple(value)
    if hint is Path and isinstance(value, str) and value and "\0" not in value:
        return folder / _expanded(value, name)
    if hint is float and type(value) is int:
        return _float(value, name)
    if type(value) is hint and hint is not Path:
        return value
    unit = _unit(name)
    type_name = TYPE_NAMES.get(hint, str(hint))
    raise ValueError(f"{name} must be {type_name}{f' ({unit})' if unit else ''}, got {value!r}")


def _convert_union(value: Any, hint: Any, name: str, folder: Path) -> Any:
    choices = [choice for choice in get_args(hint) if choice is not types.NoneType]
    for choice in choices[:-1]:
        if type(value) is choice:
            return value
    return _convert(value, choices[-1], name, folder)


def _expanded(value: str, name: str) -> Path:
    try:
        return Path(value).expanduser()
    except RuntimeError as problem:
        raise ValueError(f"{name} is {value!r}: {problem}") from problem


def _float(value: int, name: str) -> float:
    try:
        return float(value)
    except OverflowError as problem:
        raise ValueError(f"{name} is too large for a number") from problem


def _range(low: float | None, high: float | None, above: float | None, below: float | None) -> str:
    first = _number(above if low is None else low)
    last = _number(below if high is None else high)
    if not last:
        return f"{first} or more" if above is None else f"above {first}"
    excluded = [_number(end) for end in (above, below) if end is not None]
    return f"{first}..{last}" + (f" ({', '.join(excluded)} not included)" if excluded else "")


def _number(value: float | None) -> str:
    return "" if value is None else str(value) if isinstance(value, int) else f"{value:g}"
