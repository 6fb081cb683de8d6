"""Pretraining: one model on all speakers of all corpora; an interrupted training resumes, a finished one is reused."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from overtone_cloud.conditions.read_speech import read_speech
from overtone_cloud.conditions.sounds import content_digest, sound_halves
from overtone_cloud.corpora.registry import pretrained_licence
from overtone_cloud.corpora.split_file import Split
from overtone_cloud.corpora.utterance import Reading
from overtone_cloud.errors import ConfigError, TrainingError
from overtone_cloud.pretraining.joint_corpus import join, split_of
from overtone_cloud.recognition.limits import Limits, check_network
from overtone_cloud.training.features import Features, extract
from overtone_cloud.training.inputs import check_neutral_speech, set_aside, surroundings
from overtone_cloud.training.run_folder import HISTORY, MODEL, RunFolder
from overtone_cloud.training.settings import TrainSettings
from overtone_models.digests import digest_mapping
from overtone_models.front_end import EDGE_FRONT_END
from overtone_models.gate import GateSpec
from overtone_models.trained_model import TrainedModel

CLAIM = "pretraining.json"


@dataclass(frozen=True, kw_only=True)
class PretrainingRequest:
    """Specification of a pretraining; `work` is its run folder: the same request resumes it or reuses its result."""

    readings: Mapping[str, Reading]
    labels: tuple[str, ...]
    settings: TrainSettings
    work: Path
    sounds: Path | None = None
    speech: Path | None = None
    cache: Path | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class PretrainingResult:
    """A finished training: its model, its two parts, the split, and its history."""

    model: TrainedModel
    reading: Reading
    train: Features
    inner: Features
    split: Split
    history: tuple[Mapping[str, float], ...]
    finished: datetime


def train_all(request: PretrainingRequest, report: Any = None, progress: Any = None) -> PretrainingResult:
    """Train on all speakers of the request and return the result; every check that needs no sound comes first."""
    settings, labels, reading = request.settings, request.labels, join(request.readings, request.labels)
    if settings.inner_fraction == 0:
        raise ConfigError("inner_fraction is 0: a model to ship needs inner speakers, who choose when to stop")
    if request.speech is not None and not settings.neutral_speech:
        raise ConfigError("read speech is given, but training setting neutral_speech is false")
    if settings.neutral_speech:
        check_neutral_speech(labels, request.speech)
    check_network(settings.network(n_features=EDGE_FRONT_END.n_mfcc, n_classes=len(labels)), Limits())
    folder = RunFolder(request.work)
    _claim(folder, reading, request)
    features = extract(reading.labelled, EDGE_FRONT_END, GateSpec(), cache=request.cache, progress=progress)
    train, inner = set_aside(features, settings)
    split = split_of(reading, settings, inner)
    if not (folder.path / MODEL).exists():
        _train(request, folder, features, labels, report)
    licence = pretrained_licence(request.readings)
    model = replace(folder.load_model(), lineage=lineage(request.readings, reading, settings), licence=licence)
    return PretrainingResult(
        model=model,
        reading=reading,
        train=train,
        inner=inner,
        split=split,
        history=tuple(folder.read_json(HISTORY)),
        finished=datetime.fromtimestamp((folder.path / MODEL).stat().st_mtime, UTC),
    )


def _train(
    request: PretrainingRequest, folder: RunFolder, features: Features, labels: tuple[str, ...], report: Any
) -> None:
    from overtone_cloud.training.trainer import fit

    around = surroundings(request.sounds, request.settings, request.speech)
    model, _ = fit(features, labels, request.settings, folder, around=around, cache=request.cache, report=report)
    folder.save_model(model)


def _claim(folder: RunFolder, reading: Reading, request: PretrainingRequest) -> None:
    """Take the folder for this training; raise TrainingError where it holds another."""
    halves = None if request.sounds is None else sound_halves(request.sounds)
    sounds = None if halves is None else content_digest((*halves.training, *halves.calibration))
    speech = content_digest(read_speech(request.speech).training) if request.speech is not None else None
    mine = {
        "corpora": reading.corpus,
        "digest": reading.digest,
        "sounds": sounds,
        "speech": speech,
        "settings": request.settings.to_json(),
    }
    if (folder.path / CLAIM).exists() and folder.read_json(CLAIM) != mine:
        raise TrainingError(
            f"{folder.path} holds a training of other corpora, sounds, read speech or settings; choose another --work"
        )
    folder.write_json(CLAIM, mine)


def lineage(readings: Mapping[str, Reading], reading: Reading, settings: TrainSettings) -> dict[str, str]:
    """Return where the model comes from, for its bundle."""
    return {
        "training_data": ", ".join(sorted(readings)),
        "training_data_digest": digest_mapping({name: r.digest for name, r in readings.items()}),
        "split": f"all {len(reading.speakers)} speakers; inner speakers chose when to stop",
        "seed": str(settings.seed),
    }
