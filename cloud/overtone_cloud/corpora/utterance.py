"""The result of reading a corpus: its utterances, and the problems of its files and counts."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from overtone_models.digests import digest_mapping


@dataclass(frozen=True, kw_only=True)
class Utterance:
    """One recording of one speaker; fields that the corpus does not give are None.

    `id` is the path relative to the corpus' folder, with forward slashes: splits refer to utterances by it. `label` is
    one of `overtone_models.labels.EMOTIONS`, `corpus_label` the corpus' own. `sentence` is the corpus' name of the
    sentence or script; `valence`, `activation` and `dominance` are on the corpus' own scale (IEMOCAP: 1..5).
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
    """A problem of a corpus: `kind` is one of `KINDS`, `names` are the files or speakers concerned."""

    kind: str
    text: str
    names: tuple[str, ...] = ()

    KINDS = ("missing", "duplicate", "unreadable", "silent", "name", "label", "note")


@dataclass(frozen=True, kw_only=True)
class Reading:
    """A corpus on disk: its utterances sorted by id, and its problems."""

    corpus: str
    root: Path
    utterances: tuple[Utterance, ...]
    problems: tuple[Problem, ...] = ()

    @property
    def labelled(self) -> tuple[Utterance, ...]:
        """The utterances with a label, which training and splits use."""
        return tuple(u for u in self.utterances if u.label is not None)

    @property
    def speakers(self) -> tuple[str, ...]:
        """The speakers, sorted."""
        return tuple(sorted({u.speaker for u in self.utterances if u.speaker is not None}))

    @property
    def digest(self) -> str:
        """SHA-256 of the labelled utterances' ids, labels and speakers, which a split refers to."""
        return utterances_digest(self.utterances)

    def with_problems(self, *problems: Problem) -> "Reading":
        """Return this reading with more problems."""
        return replace(self, problems=(*self.problems, *problems))


def utterances_digest(utterances: Iterable[Utterance]) -> str:
    """Return the SHA-256 of the labelled utterances' ids, labels and speakers, in any order."""
    return digest_mapping({u.id: [u.label, u.speaker] for u in utterances if u.label is not None})
