"""Quality of a model on labelled examples: unweighted average recall and cross entropy."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from overtone_edge.hearing.example_forms import example_form_for
from overtone_edge.hearing.streaming import open_recogniser
from overtone_edge.state.examples import Example, Store
from overtone_edge.state.slots import HeldOutQuality
from overtone_models.bundle import Bundle
from overtone_models.front_end import F32
from overtone_models.metrics import unweighted_average_recall
from overtone_models.reference import Reference

Indices = NDArray[np.int64]

MAX_HELD_OUT = 500
"""Number of the newest held-out examples to evaluate, at most, so that an installation ends in time."""


@dataclass(frozen=True)
class Quality:
    """Unweighted average recall (0..1) and mean cross entropy (nats)."""

    uar: float
    loss: float


def usable_examples(bundle: Bundle, examples: Sequence[Example]) -> list[Example]:
    """Return the examples that the network takes and whose label the model has."""
    manifest, form = bundle.manifest, example_form_for(bundle.manifest)
    return [e for e in examples if e.label in manifest.labels and form.fits(e.frames)]


def embeddings_of(bundle: Bundle, examples: Sequence[Example], reference: Reference | None = None) -> F32:
    """Return the embeddings `(examples, embedding_size)` of the network as it runs on this device.

    They are relative to the device's reference, as the head takes them while listening.
    """
    recogniser = open_recogniser(bundle)
    shift = np.float32(0.0) if reference is None else reference.shift
    rows = [recogniser.embedding(example.frames) + shift for example in examples]
    return np.stack(rows) if rows else np.zeros((0, bundle.manifest.network.embedding_size), np.float32)


def label_numbers(bundle: Bundle, examples: Sequence[Example]) -> Indices:
    """Return the numbers `(examples,)` of the examples' labels in the bundle."""
    return np.array([bundle.manifest.labels.index(example.label) for example in examples], np.int64)


def held_out_quality(bundle: Bundle, store: Store, reference: Reference | None = None) -> HeldOutQuality | None:
    """Return the bundle's quality on the store's held-out examples, None where none of them fits the bundle."""
    manifest = bundle.manifest
    examples = store.examples(manifest.features_digest, manifest.labels, held_out_only=True, newest=MAX_HELD_OUT)
    examples = usable_examples(bundle, examples)
    if not examples:
        return None
    logits = logits_of(bundle.head, embeddings_of(bundle, examples, reference))
    quality, _ = quality_of(logits, label_numbers(bundle, examples), manifest.calibration.temperature)
    return HeldOutQuality(len(examples), quality.uar, quality.loss)


def split_head(head: F32, width: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the matrix `(width, K)` and the bias `(K,)` of a flat head, in double precision."""
    classes = head.size // (width + 1)
    wide = head.astype(np.float64)
    return wide[: width * classes].reshape(width, classes), wide[width * classes :]


def logits_of(head: F32, embeddings: F32) -> F32:
    """Return `(n, K)` logits of a flat head on `(n, width)`."""
    w, b = split_head(head, embeddings.shape[1])
    result: F32 = (embeddings @ w + b).astype(np.float32)
    return result


def cross_entropy(logits: F32, targets: F32) -> NDArray[np.float64]:
    """Return `(rows,)` cross entropies in nats of `(rows, K)` logits."""
    wide = logits.astype(np.float64)
    wide = wide - wide.max(axis=1, keepdims=True)
    result: NDArray[np.float64] = np.log(np.exp(wide).sum(axis=1)) - (wide * targets).sum(axis=1)
    return result


def quality_of(logits: F32, labels: Indices, temperature: float) -> tuple[Quality, NDArray[np.float64]]:
    """Return the quality of `(n, K)` logits for label numbers `(n,)`, and the loss `(n,)` of each row in nats."""
    targets = np.eye(logits.shape[1], dtype=np.float32)[labels]
    losses = cross_entropy((logits / np.float32(temperature)).astype(np.float32), targets)
    uar = unweighted_average_recall(logits.argmax(axis=1), labels, logits.shape[1])
    return Quality(uar, float(losses.mean())), losses
