"""Options of the published systems: a dataclass whose fields carry meaning, limits and defaults.

    @dataclass(frozen=True, kw_only=True)
    class Settings:
        epochs: int = whole(50, "epochs of a training", quick=12)

`read_options(Settings, {"epochs": "3"})` gives the settings, `described(Settings)` what `overtone paper list` shows.
Names are spelled with hyphens (`max_s` is the option `max-s`); an underscore is read as a hyphen. Fields without
one of the makers below are constants that no option sets.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from overtone_cloud.errors import ConfigError
from overtone_common.toml_config import TYPE_NAMES, check_value, limits

T = TypeVar("T")
NONE = "none"
SAME: Any = object()
"""No default of its own under `--quick`."""


@dataclass(frozen=True, kw_only=True)
class Option:
    """How the text of `--option NAME=VALUE` becomes a field's value.

    `parse` raises ValueError with the second half of the message ("it takes yes, no"). `limits` are those of
    configuration files. `unset` is the text for None; `quick` is the default under `--quick` where that differs.
    """

    meaning: str
    parse: Callable[[str], Any]
    limits: Mapping[str, Any] = field(default_factory=dict)
    unset: str = NONE
    quick: Any = SAME

    def read(self, name: str, text: str, default: Any) -> Any:
        """Return the value of a text; raise ConfigError in one line for an invalid one."""
        if text == self.unset and default is None and not text.isdecimal():
            return None
        try:
            value = self.parse(text)
        except ValueError as error:
            raise ConfigError(f"option {name} is {text!r}; {error}") from None
        try:
            check_value(value, self.limits, f"option {name}")
        except ValueError as error:
            raise ConfigError(str(error)) from None
        return value


def whole(default: int | None, meaning: str, least: int = 1, most: int = 100_000, **more: Any) -> Any:
    """Return a field for a whole number within limits; `more` are `unset` and `quick` of the option."""
    return _field(default, meaning, partial(_numeric, int), limits=limits(least, most), **more)


def number(default: float | None, meaning: str, least: float, most: float, **more: Any) -> Any:
    """Return a field for a number within limits; `more` are `unset` and `quick` of the option."""
    return _field(default, meaning, partial(_numeric, float), limits=limits(least, most), **more)


def _numeric(kind: type, text: str) -> Any:
    try:
        return kind(text)
    except ValueError:
        raise ValueError(f"it must be {TYPE_NAMES[kind]}") from None


def word(default: str | None, meaning: str, known: Sequence[str], *, unset: str = NONE) -> Any:
    """Return a field for one of some words."""

    def parse(text: str) -> str:
        if text not in known:
            raise ValueError(f"it takes {', '.join(known)}")
        return text

    return _field(default, meaning, parse, unset=unset)


def words(default: Sequence[str], meaning: str, known: Sequence[str], *, least: int = 1) -> Any:
    """Return a field for several of some words, separated by commas, in either case."""
    spelling = {each.lower(): each for each in known}

    def parse(text: str) -> tuple[str, ...]:
        chosen = [each.strip().lower() for each in text.split(",")]
        if not set(chosen) <= set(spelling) or len(set(chosen)) != len(chosen):
            raise ValueError(f"it takes {', '.join(known)}, each once")
        if len(chosen) < least:
            raise ValueError(f"it takes {least} or more")
        return tuple(spelling[each] for each in chosen)

    return _field(tuple(default), meaning, parse)


def flag(meaning: str) -> Any:
    """Return a field for yes or no, which is no by default."""
    answers = {"yes": True, "no": False}

    def parse(text: str) -> bool:
        if text not in answers:
            raise ValueError("it takes yes or no")
        return answers[text]

    return _field(False, meaning, parse)


def path(meaning: str) -> Any:
    """Return a field for a file or folder, None by default."""
    return _field(None, meaning, lambda text: Path(text).expanduser())


def folders(meaning: str) -> Any:
    """Return a field for folders that exist, separated by commas; empty by default."""

    def parse(text: str) -> tuple[Path, ...]:
        chosen = [Path(each.strip()).expanduser() for each in text.split(",") if each.strip() not in ("", NONE)]
        for folder in chosen:
            if not folder.is_dir():
                raise ValueError(f"{folder} is not a folder")
        return tuple(chosen)

    return _field((), meaning, parse)


def quick_constant(default: T, quick: T) -> T:
    """Return a field that no option sets, with another value under `--quick`."""
    constant: T = _field(default, "", str, quick=quick)
    return constant


def spelled(name: str) -> str:
    """Return an option's one spelling."""
    return name.replace("_", "-")


def read_options(schema: type[T], texts: Mapping[str, str], *, quick: bool = False) -> T:
    """Return the settings of option texts; raise ConfigError in one line for an invalid text."""
    by_name = {spelled(name): text for name, text in texts.items()}
    values: dict[str, Any] = {}
    for name, option, default in _options(schema):
        if spelled(name) in by_name and option.meaning:
            values[name] = option.read(spelled(name), by_name[spelled(name)], default)
        elif quick and option.quick is not SAME:
            values[name] = option.quick
    return schema(**values)


def described(schema: type[Any]) -> dict[str, tuple[str, str]]:
    """Return each option's meaning and default as `overtone paper list` shows them."""
    table = {}
    for name, option, default in _options(schema):
        quick = "" if option.quick is SAME else f"; --quick takes {_text(option.quick, option)}"
        if option.meaning:
            table[spelled(name)] = (f"{option.meaning}{quick}", _text(default, option))
    return table


def _field(default: Any, meaning: str, parse: Callable[[str], Any], **more: Any) -> Any:
    return field(default=default, metadata={"option": Option(meaning=meaning, parse=parse, **more)})


def _options(schema: type[Any]) -> Iterator[tuple[str, Option, Any]]:
    """Yield name, option and default of the fields that have an option."""
    for each in fields(schema):
        if "option" in each.metadata:
            yield each.name, each.metadata["option"], each.default


def _text(value: Any, option: Option) -> str:
    if value is None:
        return option.unset
    if isinstance(value, tuple):
        return ",".join(map(str, value)) or NONE
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)
