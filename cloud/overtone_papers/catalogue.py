"""The five systems by letter; each is imported when it is asked for, so that a missing library breaks no other."""

from collections.abc import Callable, Mapping
from functools import partial

from overtone_cloud.errors import ConfigError
from overtone_papers.common.system import System


def _imported(letter: str) -> System:
    if letter == "A":
        from overtone_papers.federated.system import SYSTEM
    elif letter == "B":
        from overtone_papers.valence.system import SYSTEM
    elif letter == "C":
        from overtone_papers.tess.system import SYSTEM
    elif letter == "D":
        from overtone_papers.fusion.system import SYSTEM
    else:
        from overtone_papers.ensembles.system import SYSTEM
    return SYSTEM


SYSTEMS: Mapping[str, Callable[[], System]] = {letter: partial(_imported, letter) for letter in "ABCDE"}


def system(letter: str, known: Mapping[str, Callable[[], System]] = SYSTEMS) -> System:
    """Return the system of a letter, in either case; raise ConfigError in one line where there is none."""
    name = letter.upper()
    if name not in known:
        raise ConfigError(f"there is no system {letter!r}; there are {', '.join(known)}")
    try:
        return known[name]()
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"system {name}: the library {error.name} is not installed; pip install 'overtone[papers]'"
        ) from error


def systems(known: Mapping[str, Callable[[], System]] = SYSTEMS) -> dict[str, System | str]:
    """Return every system by letter, or one line that says why it cannot be had."""
    there: dict[str, System | str] = {}
    for letter in known:
        try:
            there[letter] = system(letter, known)
        except ConfigError as error:
            there[letter] = str(error)
    return there
