"""What a corpus reader yields: utterances, and the problems it met on the way."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from overtone_models.digests import digest_mapping


@dataclass(frozen=True, kw_only=True)
class Utterance:
    """One recording of one speaker; None where the corpus does not say.

    `id` is the path relative to the folder that was read, with forward slashes: splits name
    utterances by it. `label` is one of `overtone_models.labels.EMOTIONS`, or None when the corpus
    gives no label that this project has. `sentence` is what was said (or the script), as the corpus
    names it; `valence`, `activation` and `dominance` are on the corpus' own scale (IEMOCAP: 1..5).
    """

    id: str
    path: Path
    corpus: str
    corpus_label: str | None = None
    label: str | None = None
    speaker: str | None = None
    gender: str | None = None
    sentence: str | None = None
    session: str | None = None
    intensity: str | None = None
    valence: float | None = None
    activation: float | None = None
    dominance: float | None = None
    text: str | None = None


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Something a reader met: `kind` is one of `KINDS`, `names` are the files or speakers concerned."""

    kind: str
    text: str
    names: tuple[str, ...] = ()

    KINDS = ("missing", "duplicate", "unreadable", "silent", "name", "label", "note")


@dataclass(frozen=True, kw_only=True)
class Reading:
    """A corpus as it lies on the disk: its utterances sorted by id, and what is wrong with it."""

    corpus: str
    root: Path
    utterances: tuple[Utterance, ...]
    problems: tuple[Problem, ...] = ()

    @property
    def labelled(self) -> tuple[Utterance, ...]:
        """The utterances that have a label of this project: what training and splits use."""
        return tuple(u for u in self.utterances if u.label is not None)

    @property
    def speakers(self) -> tuple[str, ...]:
        """The speakers, sorted."""
        return tuple(sorted({u.speaker for u in self.utterances if u.speaker is not None}))

    @property
    def digest(self) -> str:
        """SHA-256 of the labelled utterances' ids, labels and speakers: what a split is made for."""
        return utterances_digest(self.utterances)

    def with_problems(self, *problems: Problem) -> "Reading":
        """Return this reading with more problems."""
        return replace(self, problems=(*self.problems, *problems))


def utterances_digest(utterances: Iterable[Utterance]) -> str:
    """Return the SHA-256 of the labelled utterances' ids, labels and speakers, in any order."""
    return digest_mapping({u.id: [u.label, u.speaker] for u in utterances if u.label is not None})
