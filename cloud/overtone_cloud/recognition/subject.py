"""Subject of measures: one trained model, its fold's utterances, its predictions, and its bundle for devices."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from overtone_cloud.bundles.sources import RANGES, calibration_utterances, golden, load_bundle
from overtone_cloud.conditions.conditioned_features import conditioned_mfcc
from overtone_cloud.conditions.conditions import Condition
from overtone_cloud.corpora.utterance import Utterance
from overtone_cloud.errors import TrainingError
from overtone_cloud.features import extraction
from overtone_cloud.recognition.predictions import Predictions
from overtone_cloud.training.calibration_fit import calibration, sound_logits
from overtone_cloud.training.features import Features
from overtone_cloud.training.inputs import gated_sounds
from overtone_cloud.training.settings import TrainSettings
from overtone_common.files import write_atomically
from overtone_models.bundle import Bundle, read_bundle
from overtone_models.errors import BundleError
from overtone_models.features.gated_log_mel import GatedLogMelSpec
from overtone_models.front_end import F32
from overtone_models.layout import weights_digest
from overtone_models.trained_model import TrainedModel

BUNDLE = "model.bundle"


@dataclass(frozen=True, eq=False)
class Subject:
    """A trained model with its training, inner and test part; `folder` keeps its bundle and its results."""

    model: TrainedModel
    train: Features
    inner: Features
    test: Features
    folder: Path
    cache: Path | None = None

    @property
    def spec(self) -> GatedLogMelSpec:
        """Specification of the model's input feature."""
        return GatedLogMelSpec(front_end=self.model.front_end, gate=self.model.gate)

    def predictions(self, probabilities: F32) -> Predictions:
        """Return `(n, K)` probabilities of the test part as predictions."""
        utterances = self.test.utterances
        thresholds = np.full(len(utterances), self.model.calibration.threshold, np.float32)
        return Predictions(
            self.model.labels,
            tuple(u.id for u in utterances),
            tuple(str(u.speaker) for u in utterances),
            self.test.targets(self.model.labels),
            probabilities,
            thresholds,
        )

    def test_mfcc(self, condition: Condition | None) -> list[F32 | None]:
        """Return the test part's `(frames, n_mfcc)` under a condition; None where the gate detects no speech."""
        return conditioned_mfcc(self.test.utterances, self.spec, condition, cache=self.cache)

    @cached_property
    def bundle(self) -> Bundle:
        """The bundle of this model, built once and stored; its int8 ranges come from training speakers."""
        path = self.folder / BUNDLE
        stored = _stored(path, self.model)
        if stored is not None:
            return stored
        data = _build(self)
        write_atomically(path, data, error=TrainingError)
        return read_bundle(data)


def _build(subject: Subject) -> bytes:
    from overtone_converters.build import build_bundle
    from overtone_models.networks import native_stderr_silenced

    refuse_test_speakers("the int8 ranges", subject.train.utterances, subject.test.utterances)
    with native_stderr_silenced():
        return build_bundle(
            replace(subject.model, lineage={**subject.model.lineage, "int8_ranges": RANGES}),
            calibration_utterances(subject.train, cache=subject.cache),
            golden(),
            name="recognition",
            version=1,
        )


def _stored(path: Path, model: TrainedModel) -> Bundle | None:
    """Return the stored bundle of this very model; None without one or after another training or conversion."""
    try:
        bundle = load_bundle(path)
    except BundleError:
        return None
    manifest = bundle.manifest
    same = bundle.base == weights_digest(model.weights) and manifest.calibration == model.calibration
    return bundle if same and manifest.lineage.get("int8_ranges") == RANGES else None


def refuse_test_speakers(what: str, utterances: Sequence[Utterance], test: Sequence[Utterance]) -> None:
    """Raise TrainingError where test speakers' speech sets a parameter (`what`): the figures would be biased.

    Speakers are the same when corpus and name are; a recording is the same when its file is.
    """
    test_speakers = {(u.corpus, u.speaker) for u in test}
    files = {u.path.resolve() for u in test}
    shared = sorted(
        {str(u.speaker) for u in utterances if (u.corpus, u.speaker) in test_speakers or u.path.resolve() in files}
    )
    if shared:
        names = f"{', '.join(shared[:5])}{'' if len(shared) <= 5 else f' and {len(shared) - 5} more'}"
        raise TrainingError(f"calibration refused: {what} would be set with test speakers ({names})")


def recalibrate(
    subject: Subject, utterances: Sequence[Utterance], settings: TrainSettings, sounds: Sequence[Path] = ()
) -> Subject:
    """Return the subject with its calibration fitted to other utterances than its inner speakers'.

    `sounds` are to stay without a decision; they are ignored where the model was trained without sounds.

    Raises TrainingError where the utterances hold a speaker of the test part, or none of the model's classes.
    """
    from overtone_models.networks import edge_tcn

    model = subject.model
    refuse_test_speakers("temperature and threshold", utterances, subject.test.utterances)
    labelled = [u for u in utterances if u.label in model.labels]
    features = extraction.extract(labelled, subject.spec, cache=subject.cache)
    least = model.front_end.block_frames
    whole = [(u, x) for u, x in zip(labelled, features, strict=True) if x is not None and len(x) >= least]
    if not whole:
        raise TrainingError(f"calibration set has no speech with a label of the model ({', '.join(model.labels)})")
    part = Features(tuple(u for u, _ in whole), tuple(x for _, x in whole), model.front_end, model.gate)
    targets = part.targets(model.labels)
    standardised = [model.standardise(part.mfcc(i)) for i in range(len(part))]
    logits = edge_tcn.logits(model.network, model.weights, standardised)
    undecided = sounds if model.calibration.speech is not None else ()
    quiet = sound_logits(model, gated_sounds(subject.train, undecided, subject.cache))
    fitted = calibration(logits, targets, quiet, settings, speakers=part.speakers)
    return replace(subject, model=replace(model, calibration=fitted))


def predict_test_part(subject: Subject, condition: Condition | None = None) -> Predictions:
    """Return the float network's predictions of the test part under a condition (None: as recorded).

    An utterance without detected speech has a row of zeros, so it counts as wrong.
    """
    return subject.predictions(float_probabilities(subject.model, subject.test_mfcc(condition)))


def float_probabilities(model: TrainedModel, utterances: Sequence[F32 | None]) -> F32:
    """Return the float network's `(n, K)` probabilities of `(frames, n_mfcc)` utterances; zeros for None."""
    from overtone_models.networks import edge_tcn

    probabilities = np.zeros((len(utterances), len(model.labels)), np.float32)
    rows = [row for row, mfcc in enumerate(utterances) if mfcc is not None]
    standardised = [model.standardise(mfcc) for mfcc in utterances if mfcc is not None]
    if rows:
        logits = edge_tcn.logits(model.network, model.weights, standardised)
        probabilities[rows] = model.calibration.probabilities(logits)
    return probabilities
