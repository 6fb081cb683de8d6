"""Valence and activation of an utterance: the corpus' own ratings, or this table of categories and intensities.

The table is not measured. It sets the categories on the circumplex of affect (valence: unpleasant to pleasant,
activation: calm to excited) by hand, on the five-point scale of IEMOCAP's raters: 1 very negative or very calm, 3
neutral, 5 very positive or very excited. Played more strongly, an emotion moves away from neutral. Surprise lies
between neutral and positive, so it is 3.5, and either answer counts as right.
"""

from overtone_cloud.corpora.utterance import Utterance
from overtone_cloud.errors import CorpusError

LOWEST, HIGHEST = 1.0, 5.0
SLACK = 0.5
"""A few of IEMOCAP's means lie half a point outside its scale; they are taken for its end."""

# category -> (valence, activation) when played weakly, normally, and strongly
TABLE: dict[str, tuple[tuple[float, float], tuple[float, float], tuple[float, float]]] = {
    "neutral": ((3.0, 2.0), (3.0, 2.0), (3.0, 2.0)),
    "calm": ((3.0, 1.5), (3.0, 1.0), (4.0, 1.0)),
    "happy": ((3.5, 3.0), (4.0, 4.0), (5.0, 5.0)),
    "sad": ((2.5, 2.0), (2.0, 2.0), (1.0, 3.0)),
    "angry": ((2.5, 3.0), (2.0, 4.0), (1.0, 5.0)),
    "fearful": ((2.5, 3.0), (2.0, 4.0), (1.0, 5.0)),
    "disgust": ((2.5, 2.5), (2.0, 3.0), (1.0, 4.0)),
    "surprised": ((3.5, 3.0), (3.5, 4.0), (3.5, 5.0)),
    "bored": ((2.5, 1.5), (2.0, 1.0), (2.0, 1.0)),
    "frustrated": ((2.5, 2.5), (2.0, 3.0), (1.0, 4.0)),
}

# What the corpora call an intensity -> the column of TABLE; where a corpus says nothing it is the second.
INTENSITIES = {"low": 0, "weak": 0, "normal": 1, "medium": 1, "strong": 2, "high": 2}

# (corpus, its own label) -> (valence, activation), where the project's label says less than the corpus'
OWN = {("tess", "ps"): (4.0, 4.0)}
"""TESS plays a *pleasant* surprise."""


def dimensions(utterance: Utterance) -> tuple[float, float] | None:
    """Return (valence, activation) in 1..5, or None where there is neither a rating nor a category.

    Raise CorpusError for a rating on another scale.
    """
    if utterance.valence is not None and utterance.activation is not None:
        return _rated(utterance, "valence", utterance.valence), _rated(utterance, "activation", utterance.activation)
    own = OWN.get((utterance.corpus, (utterance.corpus_label or "").lower()))
    if own is not None:
        return own
    if utterance.label is None:
        return None
    return TABLE[utterance.label][INTENSITIES.get((utterance.intensity or "").lower(), 1)]


def is_rated(utterance: Utterance) -> bool:
    """Return whether the corpus itself gives both dimensions."""
    return utterance.valence is not None and utterance.activation is not None


def _rated(utterance: Utterance, name: str, value: float) -> float:
    if not LOWEST - SLACK <= value <= HIGHEST + SLACK:
        raise CorpusError(
            f"{utterance.id}: {name} is {value:g}, limits are {LOWEST:g} and {HIGHEST:g}; "
            "without its valence and activation columns the corpus is taken by category"
        )
    return min(max(value, LOWEST), HIGHEST)
