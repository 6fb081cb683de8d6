"""A corpus as the fusion networks read it: tracks and token vectors of the four classes, and their folds' arrays."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from overtone_cloud.corpora.split_file import Fold
from overtone_cloud.corpora.utterance import Reading, Utterance
from overtone_cloud.errors import CorpusError
from overtone_cloud.training.metrics import Targets
from overtone_models.features.spec import Feature
from overtone_models.front_end import F32
from overtone_papers.common.study import Study
from overtone_papers.fusion.folds import usable
from overtone_papers.fusion.settings import LABELS, Settings
from overtone_papers.fusion.texts import TextSource, spoken

STD_FLOOR = 1e-6


@dataclass(frozen=True, kw_only=True, eq=False)
class Data:
    """One corpus: `(frames, 36)` raw tracks, `(tokens, width)` vectors by text source, class numbers."""

    name: str
    utterances: tuple[Utterance, ...]
    tracks: tuple[F32, ...]
    tokens: Mapping[str, tuple[F32, ...]]
    y: Targets
    features: Mapping[str, Any]
    """How the tracks were computed, as JSON."""
    digest: str = ""

    @property
    def frames(self) -> int:
        """Frames of the longest track, to which all are padded."""
        return max(len(track) for track in self.tracks)

    def rows(self, ids: Sequence[str]) -> list[int]:
        """Return the places of these utterances, in the order of `ids`; those that could not be read are passed."""
        places = {u.id: place for place, u in enumerate(self.utterances)}
        return [places[i] for i in ids if i in places]


@dataclass(frozen=True, kw_only=True, eq=False)
class Inputs:
    """One fold's arrays: standardised and padded `x[source][part]`, classes `y[part]`; part is train or test."""

    x: Mapping[str, tuple[F32, F32]]
    y: tuple[Targets, Targets]
    rows: tuple[list[int], list[int]]
    mean: F32
    std: F32


def read(
    study: Study, settings: Settings, name: str, reading: Reading, sources: Sequence[TextSource], spec: Feature
) -> Data:
    """Return a corpus' tracks and token vectors; raise CorpusError where an utterance has no transcript."""
    from overtone_cloud.features.extraction import extract

    used = transcribed(name, reading, settings)
    without = sum(1 for u in reading.labelled if u.label in LABELS) - len(used)
    if without:
        study.log(f"corpus {name}: {without} utterances without a transcript are left out")
    found = extract(used, spec, cache=study.cache, jobs=study.jobs, ray=study.ray, log=study.log)
    kept = [(u, track[: settings.max_frames]) for u, track in zip(used, found, strict=True) if track is not None]
    utterances = usable(name, [u for u, _ in kept])
    return Data(
        name=name,
        utterances=utterances,
        tracks=tuple(track for _, track in kept),
        tokens={source.key: _encoded(study, source, utterances, settings.max_tokens) for source in sources},
        y=np.array([LABELS.index(str(u.label)) for u in utterances], np.int64),
        features=spec.to_json(),
        digest=reading.digest,
    )


def transcribed(name: str, reading: Reading, settings: Settings) -> tuple[Utterance, ...]:
    """Return the utterances of the four classes whose words are known, from the corpus or the transcripts file."""
    return usable(name, spoken(reading, settings.transcripts))


def _encoded(study: Study, source: TextSource, utterances: Sequence[Utterance], limit: int) -> tuple[F32, ...]:
    vectors = source.vectors(study, (str(u.text) for u in utterances))
    return tuple(vectors[str(u.text)][:limit] for u in utterances)


def inputs(data: Data, fold: Fold) -> Inputs:
    """Return a fold's arrays; the normalisation is that of its training part."""
    rows = data.rows(fold.train), data.rows(fold.test)
    for part, found in zip(("train on", "test"), rows, strict=True):
        if not found:
            raise CorpusError(f"corpus {data.name}, fold {fold.name!r} has nothing to {part} that could be read")
    mean, std = normalisation([data.tracks[row] for row in rows[0]])
    x = {"audio": tuple(padded([(data.tracks[r] - mean) / std for r in part], data.frames) for part in rows)}
    for source, tokens in data.tokens.items():
        longest = max(map(len, tokens))
        x[source] = tuple(padded([tokens[r] for r in part], longest) for part in rows)
    return Inputs(
        x={name: (train, test) for name, (train, test) in x.items()},
        y=(data.y[rows[0]], data.y[rows[1]]),
        rows=rows,
        mean=mean,
        std=std,
    )


def normalisation(tracks: Sequence[F32]) -> tuple[F32, F32]:
    """Return mean and deviation `(36,)` over all frames.

    The paper adds the first differences after normalising: they have the deviation of what they are differences of,
    and lose no mean.
    """
    half = tracks[0].shape[1] // 2
    joined = np.concatenate([track[:, :half] for track in tracks])
    std = np.maximum(joined.std(0, dtype=np.float64), STD_FLOOR)
    mean = np.concatenate([joined.mean(0, dtype=np.float64), np.zeros(half)])
    return mean.astype(np.float32), np.concatenate([std, std]).astype(np.float32)


def padded(sequences: Sequence[F32], length: int, filling: F32 | None = None) -> F32:
    """Return `(n, length, width)`: cut, or followed by zeros (or by `filling`, for raw features)."""
    width = sequences[0].shape[1]
    result = np.zeros((len(sequences), length, width), np.float32)
    if filling is not None:
        result += filling
    for row, sequence in enumerate(sequences):
        cut = sequence[:length]
        result[row, : len(cut)] = cut
    return result
