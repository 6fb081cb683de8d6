"""What several commands have in common: pairs on their command lines, and lines that tell how far they are."""

import sys
import time
from collections.abc import Callable

from overtone_cloud.errors import ConfigError


def name_and_value(text: str, option: str, form: str) -> tuple[str, str]:
    """Return the two sides of NAME=VALUE; raise ConfigError naming the option and its form where one is empty."""
    name, equals, value = text.partition("=")
    if not name or not equals or not value:
        raise ConfigError(f"{option} {text!r} is not of the form {form}")
    return name, value


def timed_lines() -> Callable[[str], None]:
    """Return what writes progress lines on stderr, each with the seconds since now."""
    started = time.monotonic()

    def say(line: str) -> None:
        sys.stderr.write(f"[{time.monotonic() - started:6.0f} s] {line}\n")
        sys.stderr.flush()

    return say
