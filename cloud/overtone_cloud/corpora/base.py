"""What every corpus reader shares: finding sound files, naming what is broken, official counts."""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from overtone_cloud.corpora.utterance import Problem, Reading, Utterance
from overtone_cloud.errors import CorpusError
from overtone_models.errors import LabelError
from overtone_models.labels import canonical_label, corpus_label

AUDIO_ENDINGS = frozenset({".wav", ".wave", ".flac", ".ogg", ".oga", ".aiff", ".aif", ".aifc"})


@dataclass(frozen=True, kw_only=True)
class Described:
    """What a file's name says; `key` names the utterance within its corpus, wherever the file lies."""

    key: str
    corpus_label: str | None
    speaker: str
    gender: str | None = None
    sentence: str | None = None
    session: str | None = None
    intensity: str | None = None
    text: str | None = None


@dataclass(frozen=True, kw_only=True)
class Official:
    """How much there is of a corpus as its makers publish it; labels are the corpus' own."""

    utterances: int
    speakers: tuple[str, ...]
    labels: Mapping[str, int]
    per_speaker: int | None = None


DescribeName = Callable[[PurePosixPath], Described | None]
Enriched = tuple[tuple[Utterance, ...], tuple[Problem, ...]]


def _nothing_more(root: Path, utterances: tuple[Utterance, ...]) -> Enriched:
    return utterances, ()


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """A corpus that is recognised by its files' names.

    `describe` takes a path relative to the corpus and returns None for names the corpus does not
    have; `other` says what a file is that belongs to the corpus but is no utterance (a song, a whole
    dialogue), or None; `enrich` adds what the corpus' tables say.
    """

    name: str
    title: str
    official: Official
    describe: DescribeName
    other: Callable[[PurePosixPath], str | None] = field(default=lambda relative: None)
    enrich: Callable[[Path, tuple[Utterance, ...]], Enriched] = _nothing_more

    def recognised(self, files: Iterable[PurePosixPath]) -> int:
        """Return how many of `files` have this corpus' names."""
        return sum(1 for f in files if self.describe(f) is not None or self.other(f) is not None)

    def read(self, root: Path, files: tuple[PurePosixPath, ...]) -> Reading:
        """Return the utterances among `files`, paths relative to `root`; names only, no sound is read."""
        found: dict[str, Utterance] = {}
        copies, strangers, others = [], [], Counter[str]()
        for relative in sorted(files, key=lambda f: (len(f.parts), f)):
            described = self.describe(relative)
            if described is None:
                other = self.other(relative)
                if other is None:
                    strangers.append(str(relative))
                else:
                    others[other] += 1
            elif described.key in found:
                copies.append(str(relative))
            else:
                found[described.key] = self._utterance(root, relative, described)
        if not found:
            raise CorpusError(f"{root}: no utterance of {self.title} among {len(files)} sound files")
        utterances, problems = self.enrich(root, tuple(sorted(found.values(), key=lambda u: u.id)))
        return Reading(
            corpus=self.name,
            root=root,
            utterances=utterances,
            problems=(
                *missing(utterances, self.official),
                *_skipped(copies, strangers, others),
                *problems,
                *_unlabelled(utterances),
            ),
        )

    def _utterance(self, root: Path, relative: PurePosixPath, described: Described) -> Utterance:
        return Utterance(
            id=str(relative),
            path=root / relative,
            corpus=self.name,
            corpus_label=described.corpus_label,
            label=label_of(self.name, described.corpus_label),
            speaker=described.speaker,
            gender=described.gender,
            sentence=described.sentence,
            session=described.session,
            intensity=described.intensity,
            text=described.text,
        )


def label_of(corpus: str, own: str | None) -> str | None:
    """Return this project's label for a corpus' own, or None where the tables have none."""
    if own is None:
        return None
    try:
        return corpus_label(corpus, own)
    except LabelError:
        pass
    try:
        return canonical_label(own)
    except LabelError:
        return None


def find_audio(root: Path) -> tuple[PurePosixPath, ...]:
    """Return every sound file below `root` by its ending, relative and sorted; links are followed once."""
    found: list[PurePosixPath] = []
    for folder, files in _walk(root):
        relative = PurePosixPath(folder.relative_to(root).as_posix())
        names = (f for f in files if Path(f).suffix.lower() in AUDIO_ENDINGS and not f.startswith("."))
        found.extend(relative / name for name in names)
    return tuple(sorted(found))


def _walk(root: Path) -> Iterator[tuple[Path, list[str]]]:
    """Walk `root` without hidden folders, archives' leftovers and endless links."""
    seen: set[Path] = set()
    for name, folders, files in os.walk(root, followlinks=True):
        real = Path(name).resolve()
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(f for f in folders if not f.startswith(".") and f != "__MACOSX")
        yield Path(name), files


def missing(utterances: tuple[Utterance, ...], official: Official) -> tuple[Problem, ...]:
    """Return what is missing, or too much, against the official counts."""
    problems: list[Problem] = []
    count = len(utterances)
    if count != official.utterances:
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
    for other, number in sorted(others.items()):
        yield Problem(kind="note", text=f"{number} x {other}, skipped")


def _unlabelled(utterances: tuple[Utterance, ...]) -> Iterator[Problem]:
    without = Counter(u.corpus_label or "none" for u in utterances if u.label is None)
    if without:
        kinds = ", ".join(f"{own} {number}" for own, number in sorted(without.items()))
        names = tuple(u.id for u in utterances if u.label is None)
        yield Problem(kind="label", text=f"{len(names)} utterances without a label ({kinds})", names=names)


def counted(things: list[str], noun: str) -> str:
    """Return `1 file` or `2 files`."""
    return f"{len(things)} {noun}{'' if len(things) == 1 else 's'}"
