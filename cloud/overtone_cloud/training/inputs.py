"""Inputs of a training: inner speakers set aside, targets, features under conditions, everyday sounds."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from overtone_cloud.conditions.conditioned_features import ConditionedSpec
from overtone_cloud.conditions.conditions import Condition, training_conditions
from overtone_cloud.conditions.read_speech import LABEL, as_neutral, read_speech
from overtone_cloud.conditions.sounds import sound_halves
from overtone_cloud.corpora.splits import inner_speakers
from overtone_cloud.corpora.utterance import Utterance
from overtone_cloud.errors import ConfigError, TrainingError
from overtone_cloud.features import extraction
from overtone_cloud.training.examples import Examples, examples
from overtone_cloud.training.features import Features, extract
from overtone_cloud.training.settings import TrainSettings
from overtone_models.front_end import F32, dct_matrix


def set_aside(outer: Features, settings: TrainSettings) -> tuple[Features, Features]:
    """Return the training part and the inner speakers' part, which is empty where the settings want none.

    Inner speakers decide when a training stops, and set temperature and threshold. Where utterances have no speakers,
    the inner part is a random share of the utterances.
    """
    if settings.inner_fraction == 0.0:
        return outer, outer.where(())
    if any(u.speaker is None for u in outer.utterances):
        ids = [u.id for u in outer.utterances]
        number = max(1, round(settings.inner_fraction * len(ids)))
        inner = set(np.random.default_rng(settings.seed).permutation(ids)[:number])
    else:
        speakers = inner_speakers(outer.utterances, fraction=settings.inner_fraction, seed=settings.seed)
        inner = {u.id for u in outer.utterances if u.speaker in speakers}
    train = [u.id for u in outer.utterances if u.id not in inner]
    return outer.where(train), outer.where(sorted(inner))


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """Additional audio of a training: conditions for its speech, everyday sounds, and read speech; empty by default.

    `sounds` are trained as no speech, with all classes equally likely.
    `calibration` are other sounds, which set the decision threshold. `speech` are recordings trained as neutral.
    """

    conditions: tuple[Condition, ...] = ()
    sounds: tuple[Path, ...] = ()
    calibration: tuple[Path, ...] = ()
    speech: tuple[Path, ...] = ()


def surroundings(folder: Path | None, settings: TrainSettings, speech: Path | None = None) -> Surroundings:
    """Return the conditions and the training halves of the folders of sounds and of read speech.

    Raises CorpusError where one holds too little, ConfigError where the settings want read speech and there is none.
    """
    neutral = read_speech(_require_speech(speech)).training if settings.neutral_speech else ()
    halves = None if folder is None else sound_halves(folder)
    sounds = () if halves is None else halves.training
    conditions = training_conditions(sounds) if settings.augmentation.conditioned else ()
    if halves is None or not settings.sounds_per_batch:
        return Surroundings(conditions=conditions, speech=neutral)
    return Surroundings(conditions=conditions, sounds=sounds, calibration=halves.calibration, speech=neutral)


def check_neutral_speech(labels: Sequence[str], speech: Path | None) -> None:
    """Raise ConfigError where settings with `neutral_speech` come without the folder or the label for it."""
    _require_speech(speech)
    _check_neutral_label(labels)


def _check_neutral_label(labels: Sequence[str]) -> None:
    if LABEL not in labels:
        raise ConfigError(f"neutral_speech needs the label {LABEL!r}; the labels are {', '.join(labels)}")


def _require_speech(speech: Path | None) -> Path:
    if speech is None:
        raise ConfigError(
            "training setting neutral_speech is true, but no folder of read speech is given (--speech DIR)"
        )
    return speech


@dataclass(frozen=True, eq=False)
class TrainingInputs:
    """Training and inner features with targets and the training part's standardisation; the inner part may be missing.

    `mean` and `scale` standardise the MFCC that devices compute, `band_scale` the bands that training works on.
    `views` holds, for each training utterance, its log-mels under conditions; `sounds` those of everyday sounds,
    `calibration_sounds` those of sounds that are not trained on.
    """

    train: Features
    inner: Features
    labels: tuple[str, ...]
    mean: F32
    scale: F32
    band_scale: F32
    views: tuple[tuple[F32, ...], ...]
    sounds: tuple[F32, ...]
    calibration_sounds: tuple[F32, ...]

    @property
    def inner_targets(self) -> Any:
        """Class numbers of the inner speakers' labels."""
        return self.inner.targets(self.labels)

    @property
    def bands(self) -> F32:
        """`(n_mfcc, n_mels)`: standardised MFCC times this are standardised bands (less the detail that MFCC drop)."""
        dct = dct_matrix(self.train.front_end)
        result: F32 = (dct.T / self.scale[:, None]) * self.band_scale
        return result

    def standardise(self, mfcc: F32) -> F32:
        """Return standardised `(frames, n_mfcc)`."""
        result: F32 = (mfcc - self.mean) * self.scale
        return result

    def utterances_of(self, part: Features) -> list[F32]:
        """Return a part's standardised utterances."""
        return [self.standardise(part.mfcc(row)) for row in range(len(part))]

    def examples(self) -> Examples:
        """Return the training part with one-hot targets."""
        targets = np.eye(len(self.labels), dtype=np.float32)[self.train.targets(self.labels)]
        return examples([(x, *views) for x, views in zip(self.train.log_mels, self.views, strict=True)], targets)

    def rows_by_speaker(self) -> list[Any]:
        """Return each speaker's rows of the training part; an utterance without a speaker is a group of its own."""
        speakers = np.array(self.train.speakers)
        return [np.flatnonzero(speakers == speaker) for speaker in np.unique(speakers)]

    def sound_examples(self) -> Examples | None:
        """Return the sounds with all-zero targets, for no class; None where there are no sounds."""
        if not self.sounds:
            return None
        return examples([(x,) for x in self.sounds], np.zeros((len(self.sounds), len(self.labels)), np.float32))


def prepare(
    train: Features,
    inner: Features | None,
    labels: tuple[str, ...],
    surroundings: Surroundings | None = None,
    *,
    cache: Path | None = None,
) -> TrainingInputs:
    """Return the inputs of a training; the standardisation sees the training part only, as recorded.

    `inner` is None for a training of a fixed number of epochs.
    """
    if not len(train) or (inner is not None and not len(inner)):
        inner_count = 0 if inner is None else len(inner)
        raise TrainingError(f"{len(train)} training and {inner_count} inner utterances: both parts need some")
    missing = set(labels) - {str(u.label) for u in train.utterances}
    if missing:
        raise TrainingError(f"no training utterance has the label {min(missing)!r}")
    around = surroundings or Surroundings()
    train = _add_neutral(train, around.speech, labels, cache)
    decibels = np.concatenate(train.log_mels)
    mfcc = decibels @ dct_matrix(train.front_end)
    return TrainingInputs(
        train,
        train.where(()) if inner is None else inner,
        labels,
        mean=mfcc.mean(0).astype(np.float32),
        scale=_inverse_deviation(mfcc),
        band_scale=_inverse_deviation(decibels),
        views=_views(train, around.conditions, cache),
        sounds=gated_sounds(train, around.sounds, cache),
        calibration_sounds=gated_sounds(train, around.calibration, cache),
    )


def _add_neutral(train: Features, paths: Sequence[Path], labels: Sequence[str], cache: Path | None) -> Features:
    """Return the training part with the read speech added as neutral."""
    if not paths:
        return train
    _check_neutral_label(labels)
    neutral = extract([as_neutral(path) for path in paths], train.front_end, train.gate, cache=cache)
    return replace(train, utterances=train.utterances + neutral.utterances, log_mels=train.log_mels + neutral.log_mels)


def _inverse_deviation(values: F32) -> F32:
    result: F32 = (1.0 / np.maximum(values.std(0), 1e-3)).astype(np.float32)
    return result


def _views(train: Features, conditions: Sequence[Condition], cache: Path | None) -> tuple[tuple[F32, ...], ...]:
    spec = train.spec
    by_condition = [
        extraction.extract(train.utterances, ConditionedSpec(inner=spec, condition=condition), cache=cache)
        for condition in conditions
    ]
    return tuple(_long_enough(train, [each[row] for each in by_condition]) for row in range(len(train)))


def gated_sounds(like: Features, paths: Sequence[Path], cache: Path | None) -> tuple[F32, ...]:
    """Return the `(frames, n_mels)` decibels of sounds that pass the gate, without sounds that it blocks entirely."""
    spec = like.spec
    utterances = [Utterance(id=str(path), path=path, corpus="sounds") for path in paths]
    return _long_enough(like, extraction.extract(utterances, spec, cache=cache))


def _long_enough(train: Features, spectra: Sequence[F32 | None]) -> tuple[F32, ...]:
    """Return the features that the gate let through and that fill at least one hop."""
    return tuple(x for x in spectra if x is not None and len(x) >= train.front_end.block_frames)
