"""Features of a corpus, cached on disk: the log-mel spectrogram of each utterance's speech."""

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from overtone_cloud import audio
from overtone_cloud.corpora.utterance import Utterance
from overtone_cloud.errors import AudioError, TrainingError
from overtone_models.digests import digest_mapping
from overtone_models.front_end import F32, FrontEndSpec, dct_matrix, log_mel
from overtone_models.gate import GateSpec, speech_span

Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Features:
    """Utterances and the `(frames, n_mels)` decibels of the speech in each; `skipped` says why others lack."""

    utterances: tuple[Utterance, ...]
    log_mels: tuple[F32, ...]
    front_end: FrontEndSpec
    gate: GateSpec
    skipped: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.utterances)

    def mfcc(self, index: int) -> F32:
        """Return the `(frames, n_mfcc)` of one utterance."""
        result: F32 = self.log_mels[index] @ dct_matrix(self.front_end)
        return result

    def where(self, ids: Sequence[str]) -> "Features":
        """Return the part of the utterances with these ids."""
        wanted = set(ids)
        keep = [i for i, u in enumerate(self.utterances) if u.id in wanted]
        return Features(
            tuple(self.utterances[i] for i in keep),
            tuple(self.log_mels[i] for i in keep),
            self.front_end,
            self.gate,
            self.skipped,
        )

    def targets(self, labels: Sequence[str]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        """Return each utterance's place in `labels`."""
        places = {label: place for place, label in enumerate(labels)}
        unknown = {u.label for u in self.utterances} - set(places)
        if unknown:
            raise TrainingError(f"label {min(map(str, unknown))!r} is not one of the model's: {', '.join(labels)}")
        return np.array([places[str(u.label)] for u in self.utterances], np.int64)


def cache_directory() -> Path:
    """Return where features are kept: OVERTONE_CACHE, else the user's cache folder."""
    base = os.environ.get("OVERTONE_CACHE")
    if base:
        return Path(base)
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "overtone"


def extract(
    utterances: Sequence[Utterance],
    front_end: FrontEndSpec,
    gate: GateSpec,
    *,
    cache: Path | None = None,
    progress: Progress | None = None,
) -> Features:
    """Return the features of labelled utterances, read from `cache` where they are there already."""
    used = [u for u in utterances if u.label is not None]
    if not used:
        raise TrainingError("the corpus has no labelled utterance")
    path = (cache or cache_directory()) / f"{_key(used, front_end, gate)}.npz"
    log_mels = _read_cache(path, len(used))
    if log_mels is None:
        log_mels = []
        for index, utterance in enumerate(used):
            log_mels.append(_speech_log_mel(utterance, front_end, gate))
            if progress:
                progress(index + 1, len(used))
        _write_cache(path, log_mels)
    whole = [len(x) >= front_end.block_frames for x in log_mels]
    skipped = tuple(u.id for u, ok in zip(used, whole, strict=True) if not ok)
    kept = tuple(u for u, ok in zip(used, whole, strict=True) if ok)
    if not kept:
        raise TrainingError(f"none of {len(used)} utterances could be read or holds speech of 100 ms")
    return Features(kept, tuple(x for x, ok in zip(log_mels, whole, strict=True) if ok), front_end, gate, skipped)


def _speech_log_mel(utterance: Utterance, front_end: FrontEndSpec, gate: GateSpec) -> F32:
    """Return the log-mel of the utterance's speech; no frames where it is unreadable or silent."""
    try:
        samples = audio.load(utterance.path)
    except AudioError:
        return np.empty((0, front_end.n_mels), np.float32)
    first, last = speech_span(samples, gate)
    return log_mel(samples[first:last], front_end)


def _key(utterances: Sequence[Utterance], front_end: FrontEndSpec, gate: GateSpec) -> str:
    files = {str(u.path): [u.path.stat().st_size, u.path.stat().st_mtime_ns] for u in utterances}
    return digest_mapping({"front_end": front_end.digest, "gate": asdict(gate), "files": files})[:32]


def _read_cache(path: Path, count: int) -> list[F32] | None:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            lengths, joined = stored["lengths"], stored["log_mel"]
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return None
    if len(lengths) != count:
        return None
    return list(np.split(joined, np.cumsum(lengths)[:-1]))


def _write_cache(path: Path, log_mels: Sequence[F32]) -> None:
    part = path.with_suffix(f".{os.getpid()}.part.npz")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(part, lengths=np.array([len(x) for x in log_mels]), log_mel=np.concatenate(list(log_mels)))
        part.replace(path)
    except OSError as error:
        with suppress(OSError):
            part.unlink()
        raise TrainingError(f"features cannot be kept in {path.parent}: {error.strerror or error}") from error
