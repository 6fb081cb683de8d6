"""The five systems by letter; each is imported when it is asked for, so that a missing one breaks no other."""

import importlib

from overtone_cloud.errors import ConfigError
from overtone_papers.common.system import System

MODULES = {
    "A": "overtone_papers.federated.system",
    "B": "overtone_papers.valence.system",
    "C": "overtone_papers.tess.system",
    "D": "overtone_papers.fusion.system",
    "E": "overtone_papers.ensembles.system",
}


def system(letter: str, modules: dict[str, str] = MODULES) -> System:
    """Return the system of a letter, in either case; raise ConfigError in one line where there is none."""
    name = letter.upper()
    if name not in modules:
        raise ConfigError(f"there is no system {letter!r}; there are {', '.join(modules)}")
    try:
        found: System = importlib.import_module(modules[name]).SYSTEM
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if missing.startswith("overtone_"):
            raise ConfigError(f"system {name} is not part of this installation: {missing} is missing") from error
        raise ConfigError(
            f"system {name}: the library {missing} is not installed; pip install 'overtone[papers]'"
        ) from error
    return found


def systems(modules: dict[str, str] = MODULES) -> dict[str, System | str]:
    """Return every system by letter, or in one line why it cannot be had."""
    found: dict[str, System | str] = {}
    for letter in modules:
        try:
            found[letter] = system(letter, modules)
        except ConfigError as error:
            found[letter] = str(error)
    return found
