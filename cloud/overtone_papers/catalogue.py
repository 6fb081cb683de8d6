"""The five systems by letter; each is imported when it is asked for, so that a missing library breaks no other."""

from collections.abc import Callable, Mapping

from overtone_cloud.errors import ConfigError
from overtone_papers.common.system import System


def _federated() -> System:
    from overtone_papers.federated.system import SYSTEM

    return SYSTEM


def _valence() -> System:
    from overtone_papers.valence.system import SYSTEM

    return SYSTEM


def _tess() -> System:
    from overtone_papers.tess.system import SYSTEM

    return SYSTEM


def _fusion() -> System:
    from overtone_papers.fusion.system import SYSTEM

    return SYSTEM


def _ensembles() -> System:
    from overtone_papers.ensembles.system import SYSTEM

    return SYSTEM


SYSTEMS: Mapping[str, Callable[[], System]] = {
    "A": _federated,
    "B": _valence,
    "C": _tess,
    "D": _fusion,
    "E": _ensembles,
}


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
