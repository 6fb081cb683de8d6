"""Evaluation of a bundle on a labelled corpus as devices hear it: gate, streaming network, decision at each end."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from overtone_cloud.corpora import audio
from overtone_cloud.corpora.utterance import Reading, Utterance
from overtone_cloud.errors import AudioError, CorpusError
from overtone_cloud.recognition.predictions import Predictions, confusion
from overtone_models.bundle import Bundle
from overtone_models.labels import ordered
from overtone_models.native_stderr import native_stderr_silenced

FORMAT, VERSION = "overtone-bundle-evaluation", 1
LEAST_CLASSES = 2
UNKNOWN_SPEAKER = "unknown"
NO_DECISION, NEUTRAL = "no decision", "neutral"
TRAINING_DATA = "training_data"
"""The entry of a bundle's lineage that names the corpora it was trained on."""

Progress = Callable[[int, int], None]
"""Called with the number of recordings done, and of all."""


@dataclass(frozen=True, kw_only=True)
class EvaluationData:
    """The recordings to measure, and what is not measured.

    `utterances` have one of `labels`, the classes of both corpus and model, in the model's order. `corpus_only` counts
    the utterances of classes that the model does not have.
    """

    utterances: tuple[Utterance, ...]
    labels: tuple[str, ...]
    corpus_only: dict[str, int]


@dataclass(frozen=True, kw_only=True, eq=False)
class BundleEvaluation:
    """The answers of a device to a corpus.

    `answers` hold the probabilities at the end of each recording's longest utterance, zeros where the gate heard no
    speech; `decided` `(n,)` says where the device decided. Recordings that cannot be read are `skipped`.
    """

    corpus: str
    bundle: Bundle
    data: EvaluationData
    answers: Predictions
    decided: NDArray[np.bool_]
    skipped: tuple[str, ...]

    @property
    def as_decided(self) -> Predictions:
        """The answers with "no decision", which is never right, as nothing heard."""
        return replace(self.answers, probabilities=np.where(self.decided[:, None], self.answers.probabilities, 0.0))

    @property
    def heard_in_training(self) -> bool:
        """Whether the bundle says that it was trained on a corpus of this name."""
        trained = self.bundle.manifest.lineage.get(TRAINING_DATA, "")
        return self.corpus in {name.strip() for name in trained.split(",")}

    def to_json(self) -> dict[str, Any]:
        """Return the figures; shares are 0..1, rounded to a hundredth of a per cent."""
        manifest, data, decided = self.bundle.manifest, self.data, self.as_decided
        table = confusion(decided)
        columns = (*manifest.labels, NO_DECISION)
        rows = {label: table[manifest.labels.index(label)] for label in data.labels}
        said = {column: sum(row[place] for row in rows.values()) for place, column in enumerate(columns)}
        return {
            "format": FORMAT,
            "version": VERSION,
            "bundle": {
                "name": manifest.name,
                "version": manifest.version,
                "base": self.bundle.base,
                "labels": list(manifest.labels),
                "threshold": round(manifest.calibration.threshold, 4),
                "trained_on_this_corpus": self.heard_in_training,
            },
            "corpus": self.corpus,
            "utterances": len(self.answers),
            "unheard": int((~self.answers.answered).sum()),
            "skipped": list(self.skipped),
            "classes": list(data.labels),
            "classes_of_the_corpus_only": data.corpus_only,
            "answers_of_the_model_only": {x: said[x] for x in manifest.labels if x not in data.labels},
            "chance": round(1 / len(data.labels), 4),
            "uar": _share(decided.uar),
            "uar_of_decided": _share(decided.rows(self.decided).uar),
            "uar_of_likeliest": _share(self.answers.uar),
            **_decisions(decided),
            "per_class": {label: self._of_class(label) for label in data.labels},
            "per_speaker": self._per_speaker(),
            "confusion": {"columns": list(columns), "rows": rows},
            "answers": said,
            "neutral_taken_for": dict(zip(columns, rows[NEUTRAL], strict=True)) if NEUTRAL in rows else None,
        }

    def _of_class(self, label: str) -> dict[str, Any]:
        own = self.answers.targets == self.answers.labels.index(label)
        decided = self.as_decided.rows(own)
        return {
            "utterances": int(own.sum()),
            "recall": _share(decided.correct.mean()),
            "recall_of_likeliest": _share(self.answers.rows(own).correct.mean()),
            **_decisions(decided),
        }

    def _per_speaker(self) -> dict[str, Any]:
        """Return the figures of each speaker by name; empty where the corpus names none."""
        speakers = sorted(set(self.answers.speakers))
        if speakers == [UNKNOWN_SPEAKER]:
            return {}
        parts = {speaker: self.as_decided.where(lambda s, own=speaker: s == own) for speaker in speakers}  # type: ignore[misc]
        return {
            speaker: {"utterances": len(part), "uar": _share(part.uar), **_decisions(part)}
            for speaker, part in parts.items()
        }


def _decisions(decided: Predictions) -> dict[str, float | None]:
    """Return the share of recordings that were decided, and the share of those that is right."""
    correct = decided.correct[decided.answered]
    return {
        "coverage": _share(decided.answered.mean()),
        "right_of_decided": _share(correct.mean() if correct.size else np.nan),
    }


def _share(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 4)


def evaluation_data(reading: Reading, labels: Sequence[str], *, limit: int | None = None) -> EvaluationData:
    """Return the recordings to measure: of the classes that corpus and model have, at most `limit` per class.

    Which ones is drawn with a fixed seed. Raises CorpusError in one line for fewer than two such classes.
    """
    counts = Counter(str(u.label) for u in reading.labelled)
    what = f"{reading.corpus} in {reading.root}"
    if not counts:
        raise CorpusError(f"{what}: none of {len(reading.utterances)} utterances has a label")
    if len(counts) < LEAST_CLASSES:
        raise CorpusError(f"{what} has one class, {next(iter(counts))}: a UAR needs at least {LEAST_CLASSES}")
    common = tuple(label for label in labels if label in counts)
    if len(common) < LEAST_CLASSES:
        raise CorpusError(
            f"{what} ({', '.join(ordered(counts))}) and the model ({', '.join(labels)}) have "
            f"{f'one class ({common[0]})' if common else 'no class'} in common: a UAR needs at least {LEAST_CLASSES}"
        )
    used = [u for u in reading.labelled if u.label in common]
    return EvaluationData(
        utterances=tuple(used if limit is None else _drawn(used, limit)),
        labels=common,
        corpus_only={label: counts[label] for label in ordered(counts) if label not in common},
    )


def _drawn(utterances: Sequence[Utterance], limit: int) -> list[Utterance]:
    """Return at most `limit` utterances of each class in their order."""
    rng = np.random.default_rng(0)
    left: Counter[str] = Counter()
    chosen = set()
    for place in rng.permutation(len(utterances)):
        label = str(utterances[place].label)
        if left[label] < limit:
            left[label] += 1
            chosen.add(int(place))
    return [utterances[place] for place in sorted(chosen)]


def evaluate_bundle(
    bundle: Bundle, reading: Reading, *, limit: int | None = None, progress: Progress = lambda done, whole: None
) -> BundleEvaluation:
    """Return what a device with default settings makes of each recording of a corpus, one after another.

    Raises CorpusError where too few classes can be measured, ConversionError where the runtime refuses the bundle.
    """
    from overtone_converters.device import Device

    labels = bundle.manifest.labels
    data = evaluation_data(reading, labels, limit=limit)
    with native_stderr_silenced():
        device = Device(bundle)
    heard, skipped = [], {}
    for number, utterance in enumerate(data.utterances, 1):
        try:
            heard.append((utterance, device.listen(audio.load(utterance.path)).longest))
        except AudioError as error:
            skipped[utterance.id] = str(error)
        progress(number, len(data.utterances))
    if len({u.label for u, _ in heard}) < LEAST_CLASSES:
        raise CorpusError(
            f"{reading.corpus} in {reading.root}: {len(skipped)} of {len(data.utterances)} recordings cannot be "
            f"read, too few classes are left (the first: {next(iter(skipped.values()))})"
        )
    probabilities = np.zeros((len(heard), len(labels)), np.float32)
    for row, (_, end) in enumerate(heard):
        if end is not None:
            probabilities[row] = [end.probabilities[label] for label in labels]
    return BundleEvaluation(
        corpus=reading.corpus,
        bundle=bundle,
        data=data,
        answers=Predictions(
            labels,
            tuple(u.id for u, _ in heard),
            tuple(u.speaker or UNKNOWN_SPEAKER for u, _ in heard),
            np.array([labels.index(str(u.label)) for u, _ in heard], np.int64),
            probabilities,
            np.full(len(heard), bundle.manifest.calibration.threshold, np.float32),
        ),
        decided=np.array([end is not None and end.label is not None for _, end in heard], bool),
        skipped=tuple(skipped),
    )
