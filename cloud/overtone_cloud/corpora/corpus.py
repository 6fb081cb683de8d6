"""A corpus as one object: how its files are recognised and read, its labels, official counts, licence and source."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from overtone_cloud.corpora.utterance import Problem, Reading, Utterance
from overtone_cloud.errors import CorpusError
from overtone_models.errors import LabelError
from overtone_models.labels import Affect, canonical_label


@dataclass(frozen=True, kw_only=True)
class NameFields:
    """The fields that a file's name encodes; `key` names the utterance within its corpus, in whatever folder."""

    key: str
    corpus_label: str | None
    speaker: str | None
    gender: str | None = None
    sentence: str | None = None
    session: str | None = None
    intensity: str | None = None
    text: str | None = None


@dataclass(frozen=True, kw_only=True)
class OfficialCounts:
    """The size of a corpus as published; labels are the corpus' own.

    What its publisher does not state is None or empty, and compared with nothing.
    """

    utterances: int | None
    speakers: tuple[str, ...]
    labels: Mapping[str, int]
    per_speaker: int | None = None


@dataclass(frozen=True, kw_only=True)
class Archive:
    """The ZIP file that a publisher offers for download; `checksum` is `algorithm:hexdigits`, None without one."""

    url: str
    file_name: str
    size_bytes: int | None = None
    checksum: str | None = None


ParseName = Callable[[PurePosixPath], NameFields | None]
Enrichment = tuple[tuple[Utterance, ...], tuple[Problem, ...]]


def _no_enrichment(root: Path, utterances: tuple[Utterance, ...]) -> Enrichment:
    return utterances, ()


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """A published corpus that is recognised by its files' names.

    `licence` is its licence in full, shown before a download and in model cards; `model_terms` is its part of a trained
    model's licence line; `commercial` says whether the licence allows commercial use. `archive` is None where the
    corpus cannot simply be downloaded: `instructions` then say how to get it.

    `labels` maps the corpus' own labels (lower case) to emotions; `affect` has the valence and activation of own
    labels that say more than the emotion. `parse_name` takes a path relative to the corpus and returns None for names
    that the corpus does not have; `other_kind` names the kind of a file that belongs to the corpus but is no utterance
    (a song, a whole dialogue); `enrich` adds what the corpus' tables say.
    """

    name: str
    title: str
    language: str
    page: str
    licence: str
    model_terms: str
    commercial: bool
    archive: Archive | None = None
    instructions: str = ""
    official: OfficialCounts
    labels: Mapping[str, str]
    affect: Mapping[str, Affect] = field(default_factory=dict)
    parse_name: ParseName
    other_kind: Callable[[PurePosixPath], str | None] = field(default=lambda relative: None)
    enrich: Callable[[Path, tuple[Utterance, ...]], Enrichment] = _no_enrichment
    uar_target_percent: float | None = None
    """The least UAR on unseen speakers that the recognition benchmark aims for."""

    def count_matches(self, files: Iterable[PurePosixPath]) -> int:
        """Return how many of `files` have this corpus' names."""
        return sum(1 for f in files if self.parse_name(f) is not None or self.other_kind(f) is not None)

    def emotion_of(self, own_label: str | None) -> str | None:
        """Return the emotion that one of the corpus' own labels stands for; None for a label that stands for none."""
        if own_label is None:
            return None
        own = own_label.strip().lower()
        try:
            return self.labels[own] if own in self.labels else canonical_label(own)
        except LabelError:
            return None

    def read(self, root: Path, files: tuple[PurePosixPath, ...]) -> Reading:
        """Return the utterances among `files`, paths relative to `root`; names only, no sound is read."""
        by_key: dict[str, Utterance] = {}
        copies, strangers, others = [], [], Counter[str]()
        for relative in sorted(files, key=lambda f: (len(f.parts), f)):
            fields = self.parse_name(relative)
            if fields is None:
                kind = self.other_kind(relative)
                if kind is None:
                    strangers.append(str(relative))
                else:
                    others[kind] += 1
            elif fields.key in by_key:
                copies.append(str(relative))
            else:
                by_key[fields.key] = self._utterance(root, relative, fields)
        if not by_key:
            raise CorpusError(f"{root}: no utterance of {self.title} among {len(files)} sound files")
        enriched, problems = self.enrich(root, tuple(sorted(by_key.values(), key=lambda u: u.id)))
        utterances = tuple(replace(u, label=self.emotion_of(u.corpus_label)) for u in enriched)
        return Reading(
            corpus=self.name,
            root=root,
            utterances=utterances,
            problems=(
                *compare_counts(utterances, self.official),
                *_skipped(copies, strangers, others),
                *problems,
                *_unlabelled(utterances),
            ),
        )

    def _utterance(self, root: Path, relative: PurePosixPath, fields: NameFields) -> Utterance:
        return Utterance(
            id=str(relative),
            path=root / relative,
            corpus=self.name,
            corpus_label=fields.corpus_label,
            speaker=fields.speaker,
            gender=fields.gender,
            sentence=fields.sentence,
            session=fields.session,
            intensity=fields.intensity,
            text=fields.text,
        )


def compare_counts(utterances: tuple[Utterance, ...], official: OfficialCounts) -> tuple[Problem, ...]:
    """Return a problem for each count that differs from the official one."""
    problems: list[Problem] = []
    count = len(utterances)
    if official.utterances is not None and count != official.utterances:
        problems.append(_count_problem(f"{count} of the official {official.utterances} utterances", ()))
    by_speaker = Counter(u.speaker for u in utterances)
    absent = tuple(s for s in official.speakers if s not in by_speaker)
    if absent:
        text = f"{len(absent)} of {len(official.speakers)} speakers: {', '.join(absent)}"
        problems.append(_count_problem(text, absent))
    for speaker, number in sorted(by_speaker.items(), key=lambda item: str(item[0])):
        if speaker is not None and official.per_speaker and number != official.per_speaker:
            text = f"speaker {speaker}: {number} of {official.per_speaker} utterances"
            problems.append(_count_problem(text, (speaker,)))
    by_label = Counter(u.corpus_label for u in utterances)
    short = [f"{own} {by_label[own]} of {n}" for own, n in official.labels.items() if by_label[own] != n]
    if short:
        problems.append(_count_problem(f"by label: {', '.join(short)}", ()))
    return tuple(problems)


def _count_problem(text: str, names: tuple[str, ...]) -> Problem:
    return Problem(kind="missing", text=text, names=names)


def _skipped(copies: list[str], strangers: list[str], others: Counter[str]) -> Iterator[Problem]:
    if copies:
        text = f"{counted(copies, 'file')} with the name of an utterance already found, skipped"
        yield Problem(kind="duplicate", text=text, names=tuple(copies))
    if strangers:
        text = f"{counted(strangers, 'file')} with a name this corpus does not have, skipped"
        yield Problem(kind="name", text=text, names=tuple(strangers))
    for kind, number in sorted(others.items()):
        yield Problem(kind="note", text=f"{number} x {kind}, skipped")


def _unlabelled(utterances: tuple[Utterance, ...]) -> Iterator[Problem]:
    without = Counter(u.corpus_label or "none" for u in utterances if u.label is None)
    if without:
        kinds = ", ".join(f"{own} {number}" for own, number in sorted(without.items()))
        names = tuple(u.id for u in utterances if u.label is None)
        yield Problem(kind="label", text=f"{len(names)} utterances without a label ({kinds})", names=names)


def counted(things: list[str], noun: str) -> str:
    """Return `1 file` or `2 files`."""
    return f"{len(things)} {noun}{'' if len(things) == 1 else 's'}"
