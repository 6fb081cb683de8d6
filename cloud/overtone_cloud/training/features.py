"""Features of a labelled corpus for the streaming networks: the log-mel spectrogram of each utterance's speech."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from overtone_cloud.corpora.utterance import Utterance
from overtone_cloud.errors import TrainingError
from overtone_cloud.features import extraction
from overtone_cloud.features.extraction import Progress
from overtone_models.features.gated_log_mel import GatedLogMelSpec
from overtone_models.front_end import F32, FrontEndSpec, dct_matrix
from overtone_models.gate import GateSpec


@dataclass(frozen=True, eq=False)
class Features:
    """Utterances and the `(frames, n_mels)` decibels of the speech in each; `skipped` are the ids of unusable ones."""

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

    @property
    def spec(self) -> GatedLogMelSpec:
        """The feature that was computed."""
        return GatedLogMelSpec(front_end=self.front_end, gate=self.gate)

    @property
    def speakers(self) -> tuple[str, ...]:
        """Speaker of each utterance; one without a speaker is a speaker of its own."""
        return tuple(u.speaker or u.id for u in self.utterances)

    def where(self, ids: Sequence[str]) -> "Features":
        """Return the part of the utterances with these ids."""
        members = set(ids)
        keep = [i for i, u in enumerate(self.utterances) if u.id in members]
        return Features(
            tuple(self.utterances[i] for i in keep),
            tuple(self.log_mels[i] for i in keep),
            self.front_end,
            self.gate,
            self.skipped,
        )

    def targets(self, labels: Sequence[str]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        """Return each utterance's index in `labels`."""
        places = {label: place for place, label in enumerate(labels)}
        unknown = {u.label for u in self.utterances} - set(places)
        if unknown:
            raise TrainingError(f"label {min(map(str, unknown))!r} is not one of the model's: {', '.join(labels)}")
        return np.array([places[str(u.label)] for u in self.utterances], np.int64)


def extract(
    utterances: Sequence[Utterance],
    front_end: FrontEndSpec,
    gate: GateSpec,
    *,
    cache: Path | None = None,
    progress: Progress | None = None,
) -> Features:
    """Return the features of labelled utterances, read from `cache` where present."""
    labelled = [u for u in utterances if u.label is not None]
    if not labelled:
        raise TrainingError("the corpus has no labelled utterance")
    spec = GatedLogMelSpec(front_end=front_end, gate=gate)
    log_mels = extraction.extract(labelled, spec, cache=cache, progress=progress)
    whole = [
        (u, x) for u, x in zip(labelled, log_mels, strict=True) if x is not None and len(x) >= front_end.block_frames
    ]
    if not whole:
        raise TrainingError(f"none of {len(labelled)} utterances could be read or holds speech of 100 ms")
    usable = {u.id for u, _ in whole}
    skipped = tuple(u.id for u in labelled if u.id not in usable)
    return Features(tuple(u for u, _ in whole), tuple(x for _, x in whole), front_end, gate, skipped)
