"""Builds the bundle of a trained model: int8 streaming network, training graph, golden clip."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np

from overtone_converters.errors import ConversionError
from overtone_converters.streaming import streaming_model
from overtone_converters.training import training_model
from overtone_edge.core.errors import InferenceError
from overtone_edge.hearing.streaming import open_recogniser
from overtone_models.bundle import Bundle, Manifest, as_pcm
from overtone_models.front_end import F32
from overtone_models.trained_model import TrainedModel


def build_bundle(
    model: TrainedModel,
    calibration: Sequence[F32],
    golden_samples: F32,
    *,
    name: str,
    version: int,
    base_round: int = 0,
    created: datetime | None = None,
    training_graph: bytes | None = None,
) -> bytes:
    """Return the unsigned bundle of a trained model.

    `calibration` holds `(frames, n_mfcc)` utterances of training speakers, not standardised. A `training_graph` of an
    earlier conversion fits every model of the same network, since it holds no weights.
    """
    standardised = [model.standardise(mfcc) for mfcc in calibration]
    if not standardised:
        raise ConversionError("no calibration utterances: int8 ranges cannot be set")
    moment = created if created is not None else datetime.now(UTC)
    lineage = {**model.lineage, "quantisation": "int8 weights and activations, ranges from training speakers"}
    manifest = Manifest(
        **{**model.description_fields(), "lineage": lineage},
        name=name,
        version=version,
        created=moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
        base_round=base_round,
    )
    bundle = Bundle(
        manifest=manifest,
        weights=model.weights,
        standardise_mean=model.standardise_mean,
        standardise_scale=model.standardise_scale,
        streaming_model=streaming_model(model.network, model.weights, standardised),
        training_model=training_graph or training_model(model.network),
        golden_samples=as_pcm(golden_samples),
        golden_probabilities=np.zeros((0, len(model.labels)), np.float32),
    )
    return with_golden(bundle).to_bytes()


def with_golden(bundle: Bundle) -> Bundle:
    """Return the bundle with the probabilities that the device's runtime computes for its golden clip."""
    try:
        hops = open_recogniser(bundle).process(bundle.golden_samples)
    except InferenceError as error:
        raise ConversionError(f"the device's runtime refuses the bundle: {error}") from error
    if not hops:
        raise ConversionError(f"golden clip of {bundle.golden_samples.size} samples is shorter than one hop")
    return replace(bundle, golden_probabilities=np.stack([hop.probabilities for hop in hops]))
