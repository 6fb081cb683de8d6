"""Emotion labels: the table of emotions with their spellings, colours, valence and activation."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from overtone_models.errors import LabelError


class Affect(NamedTuple):
    """A point on the circumplex of affect, each axis 1 to 5.

    Valence runs from very unpleasant (1) over neutral (3) to very pleasant (5), activation from very calm to very
    excited: the scale of IEMOCAP's raters.
    """

    valence: float
    activation: float


@dataclass(frozen=True, kw_only=True)
class Emotion:
    """One emotion: its label, everyday synonyms (lower case), colour in plots, and place on the circumplex of affect.

    The place is set by hand, not measured, for speech played weakly, normally and strongly. The style in which the
    synthetic voice speaks an emotion, if it can, stands in `overtone_cloud.synthesis.style`.
    """

    name: str
    synonyms: tuple[str, ...] = ()
    colour: str
    weak: Affect
    normal: Affect
    strong: Affect

    @property
    def spellings(self) -> tuple[str, ...]:
        """The label and its synonyms."""
        return self.name, *self.synonyms


# The order is that of probability vectors: a new emotion goes to the end.
_TABLE = (
    Emotion(
        name="neutral",
        synonyms=("neutrality",),
        colour="#7f7f7f",
        weak=Affect(3.0, 2.0),
        normal=Affect(3.0, 2.0),
        strong=Affect(3.0, 2.0),
    ),
    Emotion(
        name="calm",
        synonyms=("calmness",),
        colour="#17a2b8",
        weak=Affect(3.0, 1.5),
        normal=Affect(3.0, 1.0),
        strong=Affect(4.0, 1.0),
    ),
    Emotion(
        name="happy",
        synonyms=("happiness", "joy", "joyful", "excitement", "excited"),
        colour="#f2b701",
        weak=Affect(3.5, 3.0),
        normal=Affect(4.0, 4.0),
        strong=Affect(5.0, 5.0),
    ),
    Emotion(
        name="sad",
        synonyms=("sadness",),
        colour="#4c78a8",
        weak=Affect(2.5, 2.0),
        normal=Affect(2.0, 2.0),
        strong=Affect(1.0, 3.0),
    ),
    Emotion(
        name="angry",
        synonyms=("anger",),
        colour="#d62728",
        weak=Affect(2.5, 3.0),
        normal=Affect(2.0, 4.0),
        strong=Affect(1.0, 5.0),
    ),
    Emotion(
        name="fearful",
        synonyms=("fear", "afraid"),
        colour="#7b4fa3",
        weak=Affect(2.5, 3.0),
        normal=Affect(2.0, 4.0),
        strong=Affect(1.0, 5.0),
    ),
    Emotion(
        name="disgust",
        synonyms=("disgusted",),
        colour="#5a8f29",
        weak=Affect(2.5, 2.5),
        normal=Affect(2.0, 3.0),
        strong=Affect(1.0, 4.0),
    ),
    Emotion(
        # Between neutral and positive: valence 3.5 counts as either.
        name="surprised",
        synonyms=("surprise", "pleasant surprise", "pleasant_surprise", "ps"),
        colour="#ff7f0e",
        weak=Affect(3.5, 3.0),
        normal=Affect(3.5, 4.0),
        strong=Affect(3.5, 5.0),
    ),
    Emotion(
        name="bored",
        synonyms=("boredom",),
        colour="#a68a64",
        weak=Affect(2.5, 1.5),
        normal=Affect(2.0, 1.0),
        strong=Affect(2.0, 1.0),
    ),
    Emotion(
        name="frustrated",
        synonyms=("frustration",),
        colour="#8c2d04",
        weak=Affect(2.5, 2.5),
        normal=Affect(2.0, 3.0),
        strong=Affect(1.0, 4.0),
    ),
)

_emotions = {emotion.name: emotion for emotion in _TABLE}
EMOTIONS: Mapping[str, Emotion] = MappingProxyType(_emotions)
"""Every emotion by its label, in the order of probability vectors (a model has a subset)."""


@contextmanager
def temporary_emotion(emotion: Emotion) -> Iterator[None]:
    """Add an emotion to the end of the table for the length of a `with` block: for tests and experiments.

    Raise LabelError for a spelling that another emotion has.
    """
    duplicates = [
        spelling for other in EMOTIONS.values() for spelling in other.spellings if spelling in emotion.spellings
    ]
    if duplicates:
        raise LabelError(f"emotion {emotion.name!r}: another emotion is spelt {duplicates[0]!r}")
    _emotions[emotion.name] = emotion
    try:
        yield
    finally:
        del _emotions[emotion.name]


def canonical_label(text: str) -> str:
    """Return the label of an emotion for any of its spellings; raise LabelError for anything else."""
    spelling = text.strip().lower()
    for emotion in EMOTIONS.values():
        if spelling in emotion.spellings:
            return emotion.name
    raise LabelError(f"unknown label {text!r}; known labels are {', '.join(EMOTIONS)}")


def ordered(labels: Iterable[str]) -> tuple[str, ...]:
    """Return the labels in the order of the table."""
    names = set(labels)
    return tuple(label for label in EMOTIONS if label in names)
