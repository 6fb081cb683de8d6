"""Builds the bundle of a window network: the first form of its body that keeps the network's answers."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from overtone_converters.build import with_golden
from overtone_converters.errors import ConversionError, ParityError
from overtone_converters.training import head_training_model
from overtone_converters.window_body import BodyGraph, Form, forms, multiply_adds
from overtone_converters.window_network import WindowNetwork
from overtone_converters.window_verify import device_embeddings, parity
from overtone_edge.core.errors import InferenceError
from overtone_models.bundle import MAX_BYTES, Bundle, Manifest, as_pcm
from overtone_models.errors import FrontEndError
from overtone_models.features.registry import spec_from_json
from overtone_models.front_end import F32
from overtone_models.networks import window
from overtone_models.window_inputs import DEFAULT_WINDOW_S, window_seconds
from overtone_models.window_spec import WindowSpec

Head = tuple[F32, F32]
"""Matrix `(embedding, classes)` and bias `(classes,)`."""

EMBEDDING_LENGTH = 4.0
"""Root mean square length that embeddings are scaled to: it suits the devices' learning rate of the head."""


@dataclass(frozen=True, kw_only=True)
class WindowBundle:
    """A bundle, the form of its body, multiply-adds per window, and the rejected forms with reasons."""

    bundle: bytes
    form: Form
    multiply_adds: int
    rejections: tuple[str, ...]


def build_window_bundle(
    network: WindowNetwork,
    golden_samples: F32,
    *,
    name: str,
    version: int,
    created: datetime | None = None,
) -> WindowBundle:
    """Return the unsigned bundle; raise ParityError where no form of the body keeps the network's answers."""
    body, rejections = network.body, list[str]()
    expected = network.logits(network.test)
    cost = 0
    for form in forms(body, window.precisions(network.model.network)):
        try:
            graph = BodyGraph(body, network.input_shapes, form.lstm)
            cost = cost or multiply_adds(graph.function)
            file = graph.converted(form.precision, network.calibration)
            head = _head(file, form, network)
            reason = _refusal(file, form, head, network, expected)
        except (ConversionError, InferenceError) as error:
            reason = str(error)
        if not reason:
            bundle = _bundle(network, file, form, head, golden_samples, name=name, version=version, created=created)
            return WindowBundle(bundle=bundle, form=form, multiply_adds=cost, rejections=tuple(rejections))
        rejections.append(f"{form}: {reason}")
    raise ParityError(f"{network.model.network} cannot be converted: {'; '.join(rejections)}")


def _head(file: bytes, form: Form, network: WindowNetwork) -> Head:
    """Return the head's matrix and bias for a converted body.

    Weights rounded to int8 move every embedding by about the same vector; the bias takes that back, as measured on the
    calibration rows.
    """
    w, b = network.head
    if form.precision != "int8 weights":
        return w, b
    rows = network.calibration
    moved = (device_embeddings(file, rows) - network.embeddings(rows)).mean(0, dtype=np.float64)
    corrected: F32 = (b - moved @ w).astype(np.float32)
    return w, corrected


def _refusal(file: bytes, form: Form, head: Head, network: WindowNetwork, expected: F32) -> str:
    """Return why a body is rejected; empty where it is not."""
    if len(file) > MAX_BYTES * 0.95:
        return f"the file is {len(file)} bytes, a bundle's limit is {MAX_BYTES}"
    w, b = head
    return parity(expected, device_embeddings(file, network.test) @ w + b).failure(form.precision)


def _bundle(
    network: WindowNetwork,
    body: bytes,
    form: Form,
    head: Head,
    golden_samples: F32,
    *,
    name: str,
    version: int,
    created: datetime | None,
) -> bytes:
    model, spec = network.model, _spec(network, form)
    w, b = head
    moment = created if created is not None else datetime.now(UTC)
    manifest = Manifest(
        name=name,
        version=version,
        created=moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
        labels=model.labels,
        network=spec,
        base_round=0,
        lineage={
            **{key: str(value) for key, value in model.lineage.items()},
            "split": model.split,
            "quantisation": f"body {form}; head float32",
        },
        licence=model.licence,
    )
    golden = np.zeros(0, np.float32) if spec.missing else golden_samples
    bundle = Bundle(
        manifest=manifest,
        weights=spec.layout.flatten({"head/w": w / np.float32(spec.embedding_scale), "head/b": b}),
        standardise_mean=_flat(model.scale_mean),
        standardise_scale=1.0 / _flat(model.scale_std),
        streaming_model=body,
        training_model=head_training_model(spec),
        golden_samples=as_pcm(golden),
        golden_probabilities=np.zeros((0, len(model.labels)), np.float32),
    )
    return (bundle if spec.missing else with_golden(bundle)).to_bytes()


def _spec(network: WindowNetwork, form: Form) -> WindowSpec:
    model = network.model
    length = math.sqrt(float(np.square(network.embeddings(network.calibration).astype(np.float64)).sum(1).mean()))
    return WindowSpec(
        name=model.network,
        features=model.features,
        input_shapes=network.input_shapes,
        scale_shapes=tuple(np.shape(mean) for mean in model.scale_mean),
        window_s=model.window_s or max(_seconds(dict(feature)) for feature in model.features),
        decision_every_s=model.decision_every_s,
        embedding_size=int(network.head[0].shape[0]),
        n_classes=len(model.labels),
        precision=form.precision,
        embedding_scale=EMBEDDING_LENGTH / max(length, 1e-6),
        padding=tuple(
            _padding(dict(feature), shape, mean)
            for feature, shape, mean in zip(model.features, network.input_shapes, model.scale_mean, strict=True)
        ),
    )


def _padding(feature: dict[str, Any], shape: tuple[int, ...], mean: F32) -> tuple[float, ...]:
    """Return the mean as padding for a feature of any length, so that the padding standardises to zero."""
    try:
        any_length = 0 in getattr(spec_from_json(feature), "shape", ())
    except FrontEndError:
        return ()
    row = np.asarray(mean, np.float32).reshape(-1)
    return tuple(map(float, row)) if any_length and row.size == shape[-1] else ()


def _seconds(feature: dict[str, Any]) -> float:
    try:
        return window_seconds(feature)
    except FrontEndError:  # text, or what no device computes
        return DEFAULT_WINDOW_S


def _flat(arrays: tuple[F32, ...]) -> F32:
    flat: F32 = np.concatenate([np.asarray(array, np.float32).reshape(-1) for array in arrays])
    return flat
