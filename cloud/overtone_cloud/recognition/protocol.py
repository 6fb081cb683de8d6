"""Evaluation protocols: a corpus, its folds and seeds, their checks, and the trainings that follow."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from overtone_cloud.corpora.split_file import Fold, Split
from overtone_cloud.corpora.splits import inner_speakers, make_split
from overtone_cloud.corpora.utterance import Reading, Utterance
from overtone_cloud.errors import SplitError
from overtone_cloud.training.experiment import Plan
from overtone_cloud.training.settings import TrainSettings
from overtone_models.labels import ordered

LEAVE_ONE_OUT = "leave-one-speaker-out"
EMOBOX_ACTORS = 24
RANDOM_FOLDS = 5
FEW_SPEAKERS = 10
FOLDS = 6
SHARED = "-speakers-shared"


@dataclass(frozen=True, kw_only=True)
class Training:
    """One training of a protocol, and the folder that keeps it."""

    protocol: "Protocol"
    fold: str
    seed: int
    folder: Path

    @property
    def plan(self) -> Plan:
        """Plan of this training, for `train_run`."""
        protocol = self.protocol
        return Plan(corpus=protocol.corpus, corpus_name=protocol.corpus_name, fold=self.fold, split=protocol.split)

    def describe(self) -> str:
        """Return a short description for progress lines."""
        return f"{self.protocol.name}, {self.fold}, seed {self.seed}"


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """A corpus, a split of it, which folds are trained (by name) and with which seeds."""

    name: str
    corpus: Path
    corpus_name: str | None
    split: Split
    folds: tuple[str, ...]
    seeds: tuple[int, ...]
    labels: tuple[str, ...]

    def describe(self) -> str:
        """Return one line for reports, of the folds that are trained."""
        return replace(self.split, folds=tuple(self.split.fold(name) for name in self.folds)).describe()

    def trainings(self, out: Path) -> Iterator[Training]:
        """Yield every training, seed by seed, with its folder below `out`."""
        for seed in self.seeds:
            for number, fold in enumerate(self.folds, 1):
                folder = out / self.name / f"fold{number}" / f"seed{seed}"
                yield Training(protocol=self, fold=fold, seed=seed, folder=folder)


@dataclass(frozen=True, kw_only=True)
class Seeds:
    """The seeds of a protocol's trainings, and how each sets inner speakers aside (`training.inputs`)."""

    seeds: tuple[int, ...]
    inner_fraction: float = TrainSettings.inner_fraction


@dataclass(frozen=True, kw_only=True)
class LoadedCorpus:
    """A corpus on disk: its path, and its utterances as read there."""

    path: Path
    reading: Reading

    @property
    def name(self) -> str:
        """The corpus' name."""
        return self.reading.corpus


def speaker_protocol(corpus: LoadedCorpus, folds: str | None, seeds: Seeds, *, quick: bool = False) -> Protocol:
    """Return the speaker-independent protocol; `folds`: a number, `emobox`, `leave-one-speaker-out` or None.

    None stands for 6 folds, or leave-one-speaker-out for 10 speakers or fewer. Raises SplitError for a corpus that is
    too small or a fold without a class.
    """
    split = _speaker_split(corpus.reading, folds)
    check_folds(corpus.reading, split, seeds)
    return as_protocol(corpus, split, corpus.name, seeds, limit=1 if quick else None)


def shared_protocol(corpus: LoadedCorpus, seeds: Seeds) -> Protocol:
    """Return the optimistic protocol, the first of five random folds: training and test share speakers."""
    split = make_split(corpus.reading.utterances, "random", folds=RANDOM_FOLDS)
    return as_protocol(corpus, split, f"{corpus.name}{SHARED}", seeds, limit=1)


def as_protocol(corpus: LoadedCorpus, split: Split, name: str, seeds: Seeds, *, limit: int | None = None) -> Protocol:
    """Return the protocol of the first `limit` folds of a split (None: all)."""
    return Protocol(
        name=name,
        corpus=corpus.path,
        corpus_name=corpus.name,
        split=split,
        folds=tuple(fold.name for fold in split.folds[:limit]),
        seeds=seeds.seeds,
        labels=ordered({str(u.label) for u in corpus.reading.labelled}),
    )


def _speaker_split(reading: Reading, folds: str | None) -> Split:
    kind = folds or (LEAVE_ONE_OUT if len(reading.speakers) <= FEW_SPEAKERS else str(FOLDS))
    if kind in ("emobox", LEAVE_ONE_OUT):
        if kind == "emobox" and reading.corpus == "ravdess" and len(reading.speakers) < EMOBOX_ACTORS:
            raise SplitError(
                f"ravdess in {reading.root} has {len(reading.speakers)} actors, EmoBox folds need all {EMOBOX_ACTORS}; "
                f"--folds {FOLDS} makes folds of those that are there"
            )
        return make_split(reading.utterances, kind)
    if not kind.isdigit():
        raise SplitError(f"folds are {kind!r}, they must be a number, emobox or {LEAVE_ONE_OUT}")
    try:
        return make_split(reading.utterances, "speaker", folds=int(kind))
    except SplitError as error:
        raise SplitError(f"{reading.corpus} in {reading.root}: {error}") from error


def check_folds(reading: Reading, split: Split, seeds: Seeds) -> None:
    """Raise SplitError where a fold cannot be trained and tested: no speaker to choose by, or a class is missing.

    A single test speaker may lack a class (some speakers of EmoDB do): there the folds are scored together.
    """
    labels = {str(u.label) for u in reading.labelled}
    by_id = {u.id: u for u in reading.utterances}
    for fold in split.folds:
        where = f"{reading.corpus}, {fold.name}"
        train_part = _part(by_id, fold.train)
        speakers = {u.speaker for u in train_part}
        if seeds.inner_fraction and len(speakers) < 2:
            raise SplitError(
                f"{where}: {len(speakers)} training speaker leaves no inner speaker, at least 2 are needed"
            )
        for seed in seeds.seeds:
            fraction = seeds.inner_fraction
            inner = inner_speakers(train_part, fraction=fraction, seed=seed) if fraction else ()
            part = [u for u in train_part if u.speaker not in inner]
            _refuse_lack(where, f"training part (seed {seed})", labels, part)
        if split.kind != LEAVE_ONE_OUT:
            _refuse_lack(where, "test part", labels, _part(by_id, fold.test))


def lacking(reading: Reading, fold: Fold) -> tuple[str, ...]:
    """Return the corpus' classes of which a fold's test part has no utterance."""
    by_id = {u.id: u for u in reading.utterances}
    return ordered({str(u.label) for u in reading.labelled} - {str(u.label) for u in _part(by_id, fold.test)})


def _part(by_id: dict[str, Utterance], ids: Sequence[str]) -> list[Utterance]:
    return [by_id[i] for i in ids]


def _refuse_lack(where: str, part: str, labels: set[str], utterances: Sequence[Utterance]) -> None:
    counts = Counter(str(u.label) for u in utterances)
    absent = ordered(labels - set(counts))
    if absent:
        raise SplitError(f"{where}: its {part} has no utterance of {', '.join(absent)}")
