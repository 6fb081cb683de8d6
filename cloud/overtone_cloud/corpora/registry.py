"""The registered corpora: detection and reading of a corpus in a folder, and the licence of models trained on it."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from types import MappingProxyType

from overtone_cloud.corpora import folders, manifest
from overtone_cloud.corpora.ased import ASED
from overtone_cloud.corpora.baved import BAVED
from overtone_cloud.corpora.corpus import Corpus
from overtone_cloud.corpora.crema_d import CREMA_D
from overtone_cloud.corpora.emodb import EMODB
from overtone_cloud.corpora.emovo import EMOVO
from overtone_cloud.corpora.files import find_audio
from overtone_cloud.corpora.iemocap import IEMOCAP
from overtone_cloud.corpora.indian_emospeech import INDIAN_EMOSPEECH
from overtone_cloud.corpora.nemo import NEMO
from overtone_cloud.corpora.ravdess import RAVDESS
from overtone_cloud.corpora.savee import SAVEE
from overtone_cloud.corpora.tess import TESS
from overtone_cloud.corpora.turev import TUREV
from overtone_cloud.corpora.urdu import URDU
from overtone_cloud.corpora.utterance import Reading
from overtone_cloud.errors import CorpusError

_all = (RAVDESS, TESS, SAVEE, CREMA_D, EMODB, NEMO, IEMOCAP, EMOVO, URDU, ASED, TUREV, BAVED, INDIAN_EMOSPEECH)
_corpora = {corpus.name: corpus for corpus in _all}
CORPORA: Mapping[str, Corpus] = MappingProxyType(_corpora)
"""Every published corpus that can be read, by its name."""
GENERAL = (folders.NAME, manifest.NAME)
"""Layouts for any other recordings."""
NON_COMMERCIAL = "non-commercial research only, as the recordings it was trained on"


def corpus_names() -> tuple[str, ...]:
    """Return the names of all corpora and general layouts that `read_corpus` takes."""
    return *CORPORA, *GENERAL


@contextmanager
def temporary_corpus(corpus: Corpus) -> Iterator[None]:
    """Register a corpus for the length of a `with` block: for tests and experiments."""
    if corpus.name in corpus_names():
        raise CorpusError(f"there is a corpus {corpus.name!r} already")
    _corpora[corpus.name] = corpus
    try:
        yield
    finally:
        del _corpora[corpus.name]


def training_licence(corpus: str) -> str:
    """Return the licence line of a model trained on one corpus, which says "non-commercial" where that holds."""
    known = CORPORA.get(corpus)
    if known is None:
        return "as the training data"
    explicit = known.commercial or "non-commercial" in known.model_terms
    return known.model_terms if explicit else f"{NON_COMMERCIAL}: {known.model_terms}"


def pretrained_licence(corpora: Iterable[str]) -> str:
    """Return the licence line of a model trained on several corpora: the strictest term first, then each corpus'."""
    names = sorted(corpora)
    known = [CORPORA[name] for name in names if name in CORPORA]
    each = [CORPORA[name].model_terms if name in CORPORA else f"as the training data ({name})" for name in names]
    terms = "on the terms of the recordings it was trained on" if all(c.commercial for c in known) else NON_COMMERCIAL
    return f"{terms}: {'; '.join(each)}"


def model_licence(corpora: Iterable[str]) -> str:
    """Return the licence line of a model trained on one or more corpora."""
    names = sorted(set(corpora))
    return training_licence(names[0]) if len(names) == 1 else pretrained_licence(names)


def read_corpus(path: Path, name: str | None = None) -> Reading:
    """Return the corpus at `path`, a folder or a CSV manifest; raise CorpusError in one line.

    `name` is one of `corpus_names()`; without it the corpus is recognised by its files' names.
    """
    if name is not None and name not in corpus_names():
        raise CorpusError(f"unknown corpus {name!r}; there are {', '.join(corpus_names())}")
    try:
        return _read(path, name)
    except OSError as error:
        raise CorpusError(f"{error.filename or path}: {error.strerror or error}") from error


def _read(path: Path, name: str | None) -> Reading:
    if not path.exists():
        raise CorpusError(f"{path}: no such folder or manifest")
    table = manifest.find(path)
    if name == manifest.NAME and table is None:
        raise CorpusError(f"{path}: no {manifest.FILE_NAME} in it")
    if table is not None and name in (None, manifest.NAME):
        return manifest.read(table)
    if not path.is_dir():
        raise CorpusError(f"{path}: neither a folder nor a manifest ending in .csv or .tsv")
    files = find_audio(path)
    if not files:
        raise CorpusError(f"{path}: no sound files in it")
    name = name or _detect(path, files)
    return folders.read(path, files) if name == folders.NAME else CORPORA[name].read(path, files)


def _detect(path: Path, files: tuple[PurePosixPath, ...]) -> str:
    """Return the corpus that at least half of the files belong to by their names."""
    matches = {name: corpus.count_matches(files) for name, corpus in CORPORA.items()}
    best = max(matches, key=lambda name: matches[name])
    if 2 * matches[best] >= len(files):
        return best
    if 2 * folders.count_matches(files) >= len(files):
        return folders.NAME
    some = ", ".join(f"{name} {number}" for name, number in matches.items() if number)
    if some:
        raise CorpusError(f"{path}: several corpora or strange names ({len(files)} files; {some}): name one folder")
    raise CorpusError(f"{path}: no known corpus among {len(files)} sound files (the first is {files[0]})")
