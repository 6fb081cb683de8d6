"""Evaluation of new weights on the aggregator's test speakers, and publication as signed bundles."""

import logging
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from overtone_cloud.aggregator.config import AggregatorConfig, EvaluationConfig
from overtone_cloud.aggregator.errors import ReleaseError
from overtone_cloud.aggregator.gatekeeper import Evaluation, ReleasedModel
from overtone_cloud.bundles.sources import calibration_utterances, golden, load_bundle
from overtone_cloud.corpora.registry import CORPORA, read_corpus
from overtone_cloud.corpora.split_file import Split, load_split
from overtone_cloud.corpora.splits import hold_out
from overtone_cloud.corpora.utterance import Reading, Utterance
from overtone_cloud.errors import CloudError, SplitError
from overtone_cloud.training.features import Features, extract
from overtone_common.files import write_atomically
from overtone_converters.errors import ConversionError
from overtone_models.bundle import Bundle
from overtone_models.errors import ModelError
from overtone_models.front_end import F32
from overtone_models.metrics import log_loss, unweighted_average_recall
from overtone_models.trained_model import model_of

log = logging.getLogger(__name__)

LEAST_SPEECH = 0.5
"""Least sum of emotion probabilities that counts as speech; always 1 for a bundle without a class for other sounds."""


@dataclass(frozen=True, eq=False)
class ReleaseEvaluator:
    """Evaluates weights on utterances of speakers that are in neither the training data nor on any device."""

    bundle: Bundle
    utterances: tuple[F32, ...]
    targets: NDArray[np.int64]

    def evaluate(self, weights: F32) -> Evaluation:
        """Return UAR and loss of the offline float network; raises ReleaseError for weights that do not fit it.

        Speech classified as another sound counts as an error: training on devices could cause it unnoticed.
        """
        from overtone_models.networks import edge_tcn

        try:
            logits = edge_tcn.logits(self.bundle.manifest.edge, weights, self.utterances)
        except ModelError as error:
            raise ReleaseError(f"the new weights cannot be evaluated: {error}") from error
        probabilities = self.bundle.manifest.calibration.probabilities(logits.astype(np.float64))
        classes = probabilities.shape[1]
        recognised = np.where(probabilities.sum(1) >= LEAST_SPEECH, probabilities.argmax(1), classes)
        return Evaluation(
            uar=unweighted_average_recall(recognised, self.targets, classes + 1),
            loss=log_loss(probabilities, self.targets),
            n=len(self.targets),
        )


@dataclass(frozen=True, eq=False)
class ReleasePublisher:
    """Builds releases: converts, checks and signs new weights of one network."""

    bundle: Bundle
    calibration: tuple[F32, ...]
    keys: Path
    out: Path

    def publish(self, weights: F32, *, round_number: int, version: int) -> Path:
        """Return the path of the signed bundle; raises ReleaseError when it cannot be made."""
        from overtone_converters.build import build_bundle
        from overtone_converters.signing import sign_bundle

        manifest = self.bundle.manifest
        lineage = {**manifest.lineage, "base_weights": self.bundle.base, "rounds": str(round_number)}
        path = self.out / f"{manifest.name}-{version}.bundle"
        try:
            data = build_bundle(
                replace(model_of(self.bundle), weights=weights, lineage=lineage),
                self.calibration,
                golden(),
                name=manifest.name,
                version=version,
                base_round=round_number,
                training_graph=self.bundle.training_model,
            )
            signed = sign_bundle(data, name=manifest.name, version=version, keys=self.keys)
            write_atomically(path, signed, error=ReleaseError)
        except (ConversionError, CloudError, ModelError, OSError) as error:
            raise ReleaseError(f"version {version} cannot be released: {error}") from error
        return path


def release_parts(config: AggregatorConfig) -> tuple[ReleaseEvaluator, ReleasePublisher, ReleasedModel]:
    """Return evaluator, publisher and first release of an aggregator; raises ReleaseError.

    Keys, network and split are checked here, so that errors in them show before the first round.
    """
    from overtone_converters.signing import sign_bundle

    try:
        bundle = load_bundle(config.model.bundle, config.model.keys / "root.json")
        model_of(bundle)
        sign_bundle(b"", name=bundle.manifest.name, version=bundle.manifest.version, keys=config.model.keys)
        calibration_part, test_part = _corpus(config.evaluation, bundle)
    except (CloudError, ConversionError, ModelError) as error:
        raise ReleaseError(str(error)) from error
    utterances = tuple(bundle.standardise(test_part.mfcc(i)) for i in range(len(test_part)))
    evaluator = ReleaseEvaluator(bundle, utterances, test_part.targets(bundle.manifest.labels))
    calibration = tuple(calibration_utterances(calibration_part, cache=None))
    publisher = ReleasePublisher(bundle, calibration, config.model.keys, config.model.out)
    first = ReleasedModel(
        path=config.model.bundle,
        version=bundle.manifest.version,
        weights=bundle.weights,
        layout=bundle.manifest.layout,
        front_end=bytes.fromhex(bundle.manifest.features_digest),
    )
    return evaluator, publisher, first


def _corpus(config: EvaluationConfig, bundle: Bundle) -> tuple[Features, Features]:
    """Return the features of the calibration speakers and of the test speakers, which are disjoint."""
    reading = read_corpus(config.corpus)
    labels = set(bundle.manifest.labels)
    usable = [u for u in reading.labelled if u.label in labels]
    split = _read_split(config.split, reading) if config.split else hold_out(usable, config.test_speakers)
    fold = split.folds[0]
    _warn_if_trained_on(bundle, reading, split)
    test = _sample(usable, fold.test, config.max_utterances)
    calibration = _sample(usable, fold.train, 4 * config.max_utterances)
    features = extract([*calibration, *test], bundle.manifest.front_end, bundle.manifest.gate)
    return features.where([u.id for u in calibration]), features.where([u.id for u in test])


def _read_split(path: Path, reading: Reading) -> Split:
    """Return the split in a file; raise SplitError unless it fits this corpus, has one fold and shares no speakers."""
    split = load_split(path)
    if len(split.folds) != 1:
        raise SplitError(f"{path}: evaluation needs a split of 1 fold (--kind holdout), it has {len(split.folds)}")
    if split.speakers_shared:
        raise SplitError(f"{path}: evaluation needs test speakers that are in no other part, the split shares speakers")
    try:
        split.check(reading.utterances)
    except SplitError as error:
        raise SplitError(f"{path}: {error}") from error
    return split


def _warn_if_trained_on(bundle: Bundle, reading: Reading, split: Split) -> None:
    """Warn where the bundle was trained on the evaluation corpus with another split (by its lineage)."""
    lineage = bundle.manifest.lineage
    same_corpus = reading.corpus in CORPORA and reading.corpus in lineage.get("training_data", "").split(", ")
    same_split = (lineage.get("split"), lineage.get("fold")) == (split.describe(), split.folds[0].name)
    if (same_corpus or lineage.get("training_data_digest") == reading.digest) and not same_split:
        log.warning(
            "%s was trained on %s (%s): its training data may include the test speakers, which inflates its UAR",
            bundle.manifest.name,
            reading.corpus,
            lineage.get("split", "split not recorded"),
        )


def _sample(utterances: list[Utterance], ids: tuple[str, ...], limit: int) -> list[Utterance]:
    """Return at most `limit` of the utterances with these ids, evenly spaced."""
    id_set = set(ids)
    named = [u for u in utterances if u.id in id_set]
    if not named:
        raise CloudError("the evaluation split leaves no utterance with a label of the model")
    rows = np.unique(np.linspace(0, len(named) - 1, min(limit, len(named))).astype(int))
    return [named[int(row)] for row in rows]
