"""Valence and activation of an utterance: the corpus' own ratings, or those of its emotion and intensity.

Those of emotions stand in `overtone_models.labels`, set by hand and not measured, on the scale of IEMOCAP's raters.
Played more strongly, an emotion moves away from neutral. Surprise lies between neutral and positive, and either answer
counts as right.
"""

from overtone_cloud.corpora.registry import CORPORA
from overtone_cloud.corpora.utterance import Utterance
from overtone_cloud.errors import CorpusError
from overtone_models.labels import EMOTIONS, Affect

LOWEST, HIGHEST = 1.0, 5.0
SLACK = 0.5
"""A few of IEMOCAP's means lie half a point outside its scale; they are taken for its end."""

# What the corpora call an intensity -> whether the emotion is played weakly or strongly; otherwise normally.
WEAK, STRONG = ("low", "weak"), ("strong", "high")


def dimensions(utterance: Utterance) -> Affect | None:
    """Return (valence, activation) in 1..5, or None where there is neither a rating nor a category.

    Raise CorpusError for a rating on another scale.
    """
    if utterance.valence is not None and utterance.activation is not None:
        return Affect(
            _rated(utterance, "valence", utterance.valence), _rated(utterance, "activation", utterance.activation)
        )
    if (own := _own_label_affect(utterance)) is not None:
        return own
    if utterance.label is None:
        return None
    emotion, intensity = EMOTIONS[utterance.label], (utterance.intensity or "").lower()
    return emotion.weak if intensity in WEAK else emotion.strong if intensity in STRONG else emotion.normal


def _own_label_affect(utterance: Utterance) -> Affect | None:
    """Return what the corpus' own label says where the emotion says less: TESS plays a *pleasant* surprise."""
    corpus = CORPORA.get(utterance.corpus)
    return None if corpus is None else corpus.affect.get((utterance.corpus_label or "").lower())


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
