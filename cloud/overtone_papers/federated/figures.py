"""Means over seeds of what trainings gave: what tables and claims are made of."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

Result = Mapping[str, Any]

NAMES = {"a-dense": "Dense", "a-conv": "Conv", "a-lstm": "LSTM"}
SETTINGS = {
    "central": "central (the paper's baseline)",
    "random": "random clients",
    "emotion": "one emotion a client",
    "speaker": "one client a speaker",
    "dirichlet": "Dirichlet clients",
}
ENGINES = {"keras": "Keras", "tff": "TFF", "own": "own rounds"}


def chosen(results: Sequence[Result], **wanted: Any) -> list[Result]:
    """Return the results whose entries are as wanted."""
    return [r for r in results if all(r[key] == value for key, value in wanted.items())]


def mean(results: Sequence[Result], figure: str) -> float | None:
    """Return the mean of a figure of the scores over results in per cent, None where there is none."""
    return 100 * float(np.mean([r["scores"][figure] for r in results])) if results else None


def mean_of(results: Sequence[Result], key: str) -> float | None:
    """Return the mean of an entry over results, None where there is none."""
    return float(np.mean([r[key] for r in results])) if results else None


def accuracy_of(results: Sequence[Result], network: str, setting: str, engine: str, split: str) -> float | None:
    """Return a setting's mean accuracy in per cent; central training knows no engine."""
    engine = "keras" if setting == "central" else engine
    return mean(chosen(results, network=network, setting=setting, engine=engine, split=split), "accuracy")


def keys(results: Sequence[Result], *names: str) -> list[tuple[Any, ...]]:
    """Return the different values of these entries in order of appearance."""
    return list(dict.fromkeys(tuple(r[name] for name in names) for r in results))


def confusion(results: Sequence[Result]) -> list[list[int]]:
    """Return the sum of the confusions."""
    total: list[list[int]] = np.sum([r["scores"]["confusion"] for r in results], axis=0).tolist()
    return total


def per_cent(value: float | None) -> str:
    """Return a share as text for a sentence."""
    return "-" if value is None else f"{value:.1f} %"
