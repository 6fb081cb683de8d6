"""A split of a corpus into training and test folds, and its JSON file."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from overtone_cloud.corpora.utterance import Utterance, utterances_digest
from overtone_cloud.errors import SplitError
from overtone_common.files import write_atomically

T = TypeVar("T")

FORMAT, VERSION = "overtone-split", 1
MAX_SPLIT_BYTES = 256 * 1024 * 1024
KINDS = {
    "speaker": "by speaker",
    "leave-one-speaker-out": "leave one speaker out",
    "emobox": "by speaker, EmoBox folds of RAVDESS",
    "session": "by session",
    "speaker-script": "by speaker and script",
    "random": "random, stratified by label",
    "holdout": "by speaker, named test speakers",
}
"""Every kind of split, with its description in reports."""


@dataclass(frozen=True, kw_only=True)
class Fold:
    """Ids of the utterances to train on and to test on."""

    name: str
    train: tuple[str, ...]
    test: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Split:
    """Folds over the labelled utterances of one corpus.

    `digest` is `utterances_digest` of that corpus; with `speakers_shared` a test speaker may be in the training
    part too, which makes figures optimistic.
    """

    kind: str
    folds: tuple[Fold, ...]
    seed: int
    corpus: str
    digest: str
    speakers_shared: bool

    def describe(self) -> str:
        """Return one line for reports; it says "speakers shared" where they are."""
        tested = len({u for fold in self.folds for u in fold.test})
        folds = f"{len(self.folds)} fold{'' if len(self.folds) == 1 else 's'}"
        shared = ", speakers shared" if self.speakers_shared else ""
        kind = f"{KINDS[self.kind]}{shared}"
        return f"{self.corpus}, {kind}, {folds}, {tested} utterances tested, seed {self.seed}"

    def fold(self, name: str) -> Fold:
        """Return the fold called `name`, or the one at that number counted from 1."""
        for number, fold in enumerate(self.folds, start=1):
            if name in (fold.name, str(number)):
                return fold
        raise SplitError(f"no fold {name!r} in the split; there are {', '.join(f.name for f in self.folds)}")

    def check(self, utterances: Sequence[Utterance]) -> None:
        """Raise SplitError unless this split was made for these utterances and keeps speakers apart as it says."""
        known = {u.id: u.speaker for u in utterances if u.label is not None}
        unknown = sorted({i for fold in self.folds for i in (*fold.train, *fold.test)} - set(known))
        if unknown:
            raise SplitError(f"split names {len(unknown)} utterances that the corpus lacks, the first is {unknown[0]}")
        digest = utterances_digest(utterances)
        if self.digest != digest:
            raise SplitError(
                f"split was made for another state of the corpus: its digest is {self.digest[:12]}, "
                f"the corpus has {digest[:12]}"
            )
        for fold in self.folds:
            if not self.speakers_shared and shares_speakers(fold, known):
                raise SplitError(f"split says that no speakers are shared, but fold {fold.name!r} shares some")

    def save(self, path: Path) -> None:
        """Write the split as JSON, all or nothing."""
        data = {"format": FORMAT, "version": VERSION, **asdict(self)}
        text = json.dumps(data, indent=1, ensure_ascii=False) + "\n"
        write_atomically(path, text.encode(), error=SplitError)


def shares_speakers(fold: Fold, speakers: dict[str, str | None]) -> bool:
    """Return whether a speaker, or an utterance of an unknown one, is in training and test."""
    train, test = {speakers[i] for i in fold.train}, {speakers[i] for i in fold.test}
    return bool(train & test) or None in train | test


def load_split(path: Path) -> Split:
    """Return the split in a file; raise SplitError in one line that names the file and the field."""
    try:
        size = path.stat().st_size
        if size > MAX_SPLIT_BYTES:
            raise SplitError(f"{path}: split is {size} bytes, limit is {MAX_SPLIT_BYTES}")
        data = json.loads(path.read_bytes())
    except OSError as error:
        raise SplitError(f"{path}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise SplitError(f"{path}: not JSON: {error}") from error
    try:
        return _parse(data)
    except SplitError as error:
        raise SplitError(f"{path}: {error}") from error


def _parse(data: Any) -> Split:
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise SplitError(f"not a split: format is not {FORMAT!r}")
    if data.get("version") != VERSION:
        raise SplitError(f"version is {data.get('version')!r}, this software reads {VERSION}")
    kind = _field(data, "kind", str)
    if kind not in KINDS:
        raise SplitError(f"kind is {kind!r}, there are {', '.join(KINDS)}")
    folds = tuple(_parse_fold(fold) for fold in _field(data, "folds", list))
    if not folds:
        raise SplitError("folds is empty")
    return Split(
        kind=kind,
        folds=folds,
        seed=_field(data, "seed", int),
        corpus=_field(data, "corpus", str),
        digest=_field(data, "digest", str),
        speakers_shared=_field(data, "speakers_shared", bool),
    )


def _parse_fold(data: Any) -> Fold:
    if not isinstance(data, dict):
        raise SplitError("a fold is not a JSON object")
    name = _field(data, "name", str)
    parts: dict[str, tuple[str, ...]] = {}
    for part in ("train", "test"):
        ids = _field(data, part, list)
        if not ids or not all(isinstance(i, str) for i in ids):
            raise SplitError(f"fold {name!r}: {part} must be a list of utterance ids, and not empty")
        if len(set(ids)) != len(ids):
            raise SplitError(f"fold {name!r}: {part} names an utterance twice")
        parts[part] = tuple(ids)
    both = set(parts["train"]) & set(parts["test"])
    if both:
        raise SplitError(f"fold {name!r}: {len(both)} utterances are in train and test, one is {min(both)}")
    return Fold(name=name, **parts)


def _field(data: dict[str, Any], name: str, kind: type[T]) -> T:
    value = data.get(name)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise SplitError(f"{name} is missing or not of type {kind.__name__}")
    return value
