"""Speech without labels, from any folder; long recordings are first cut into pieces of a minute."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from overtone_cloud.corpora import audio
from overtone_cloud.corpora.files import find_audio
from overtone_cloud.corpora.utterance import Utterance
from overtone_cloud.errors import AudioError, CorpusError, TrainingError
from overtone_common.audio import SAMPLE_RATE_HZ, read_pieces, resample, write_flac
from overtone_models.digests import digest_bytes, digest_mapping
from overtone_papers.common.study import Study
from overtone_papers.valence.data import Recording, spectrograms

CORPUS = "unlabelled"
PIECE_S = 60.0
SHORTEST_S = 0.5


@dataclass(frozen=True, kw_only=True)
class Files:
    """Sound files of a training, their duration, and how many were left out."""

    paths: tuple[Path, ...]
    hours: float
    unreadable: int
    beyond: int
    """Files left out because the hours were full."""

    @property
    def digest(self) -> str:
        """SHA-256 of the files' names and sizes: an input of the steps that train on them."""
        return digest_mapping({path.name: path.stat().st_size for path in self.paths})


def find(folders: Sequence[Path], hours: float) -> Files:
    """Return files of the folders in turn, up to `hours` in all; raise CorpusError for a folder without sound."""
    paths: list[Path] = []
    seconds, unreadable, beyond = 0.0, 0, 0
    for path in _in_turn([_files(folder) for folder in folders]):
        try:
            duration_s = audio.info(path).duration_s
        except AudioError:
            unreadable += 1
            continue
        if seconds >= hours * 3600:
            beyond += 1
        elif duration_s >= SHORTEST_S:
            seconds += duration_s
            paths.append(path)
    if folders and not paths:
        raise CorpusError(f"{folders[0]}: no sound file of {SHORTEST_S:g} s or more can be read")
    return Files(paths=tuple(paths), hours=round(seconds / 3600, 3), unreadable=unreadable, beyond=beyond)


def load(files: Files, study: Study) -> tuple[Recording, ...]:
    """Return the recordings of the files, long ones in pieces, which the study's folder keeps."""
    pieces = [piece for path in files.paths for piece in _pieces(path, study)]
    return spectrograms([Utterance(id=piece.name, path=piece, corpus=CORPUS) for piece in pieces], study)[1]


def _files(folder: Path) -> list[Path]:
    files = [folder / relative for relative in find_audio(folder)]
    if not files:
        raise CorpusError(f"{folder}: no sound files in it for --option unlabelled")
    return files


def _in_turn(groups: Sequence[list[Path]]) -> Iterator[Path]:
    """Yield the groups' members so that each group is spread over the whole, whatever its size."""
    positions = [((i + 0.5) / len(group), path) for group in groups for i, path in enumerate(group)]
    yield from (path for _, path in sorted(positions))


def _pieces(path: Path, study: Study) -> list[Path]:
    """Return the file itself, or its minutes as FLAC files where it is longer."""
    if audio.info(path).duration_s <= PIECE_S:
        return [path]
    stem = f"{path.stem}-{digest_bytes(str(path).encode())[:8]}-{path.stat().st_size}"
    folder = study.folder(f"pieces/{stem}")
    marker = folder / "done"
    if not marker.is_file():
        study.log(f"{path.name}: cut into pieces of {PIECE_S:g} s")
        _cut(path, folder)
        marker.touch()
    return sorted(folder.glob("*.flac"))


def _cut(path: Path, folder: Path) -> None:
    for number, (block, rate_hz) in enumerate(read_pieces(path, PIECE_S, error=TrainingError)):
        if block.size >= SHORTEST_S * rate_hz:
            piece = resample(block, rate_hz, SAMPLE_RATE_HZ)
            write_flac(folder / f"{number:05}.flac", piece, error=TrainingError)
