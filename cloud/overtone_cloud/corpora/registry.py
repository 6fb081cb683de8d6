"""Which corpora there are, and which of them a folder holds."""

from pathlib import Path, PurePosixPath

from overtone_cloud.corpora import crema_d, emodb, folders, iemocap, manifest, nemo, ravdess, savee, tess
from overtone_cloud.corpora.base import Corpus, find_audio
from overtone_cloud.corpora.utterance import Reading
from overtone_cloud.errors import CorpusError

CORPORA: dict[str, Corpus] = {
    module.CORPUS.name: module.CORPUS for module in (ravdess, tess, savee, crema_d, emodb, nemo, iemocap)
}
GENERAL = (folders.NAME, manifest.NAME)
NAMES = (*CORPORA, *GENERAL)


def read_corpus(path: Path, name: str | None = None) -> Reading:
    """Return the corpus at `path`, a folder or a CSV manifest; raise CorpusError in one line.

    `name` is one of `NAMES`; without it the corpus is recognised by its files' names.
    """
    if name is not None and name not in NAMES:
        raise CorpusError(f"unknown corpus {name!r}; there are {', '.join(NAMES)}")
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
    found = {name: corpus.recognised(files) for name, corpus in CORPORA.items()}
    best = max(found, key=lambda name: found[name])
    if 2 * found[best] >= len(files):
        return best
    if 2 * folders.recognised(files) >= len(files):
        return folders.NAME
    some = ", ".join(f"{name} {number}" for name, number in found.items() if number)
    if some:
        raise CorpusError(f"{path}: several corpora or strange names ({len(files)} files; {some}): name one folder")
    raise CorpusError(f"{path}: no known corpus among {len(files)} sound files (the first is {files[0]})")
