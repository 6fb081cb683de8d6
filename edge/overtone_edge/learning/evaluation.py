"""Evaluation on labelled recordings, with the bundle's head and with the personal one."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from overtone_edge.core.config import gate_spec
from overtone_edge.core.errors import LearningError, SourceError
from overtone_edge.hearing.audio import read_recording
from overtone_edge.hearing.example_forms import example_form_for
from overtone_edge.hearing.streaming import open_recogniser
from overtone_edge.install.quality import Indices
from overtone_edge.install.stored_model import fitting_head, required_bundle, stored_head
from overtone_edge.learning.labelling import MAX_RECORDING_S, Row
from overtone_edge.state.home import Home
from overtone_models.bundle import Bundle
from overtone_models.front_end import F32
from overtone_models.gate import speech_span
from overtone_models.metrics import unweighted_average_recall


def evaluate(home: Home, rows: Sequence[Row], *, progress: Callable[[int], None] = lambda _: None) -> dict[str, Any]:
    """Return UAR and accuracy (0..1) on recordings, as JSON values; nothing is stored.

    Recordings that cannot be read or hold no speech are counted as `skipped`. `uar_personal` is None
    where there is no personal head.
    """
    bundle = required_bundle(home)
    embeddings, targets = _embeddings(home, bundle, rows, progress)
    recogniser = open_recogniser(bundle)
    if (reference := home.reference.load(bundle)) is not None:
        recogniser.use_reference(reference)
    base = recogniser.probabilities(embeddings).argmax(1)
    classes = len(bundle.manifest.labels)
    result: dict[str, Any] = {
        "recordings": len(targets),
        "skipped": len(rows) - len(targets),
        "bundle_version": bundle.manifest.version,
        "uar": unweighted_average_recall(base, targets, classes),
        "accuracy": float((base == targets).mean()),
        "uar_personal": None,
        "accuracy_personal": None,
    }
    head = fitting_head(stored_head(home), bundle)
    if head is not None:
        recogniser.set_head(head)
        personal = recogniser.probabilities(embeddings).argmax(1)
        result |= {
            "uar_personal": unweighted_average_recall(personal, targets, classes),
            "accuracy_personal": float((personal == targets).mean()),
        }
    return result


def _embeddings(
    home: Home, bundle: Bundle, rows: Sequence[Row], progress: Callable[[int], None]
) -> tuple[F32, Indices]:
    recogniser = open_recogniser(bundle)
    manifest = bundle.manifest
    form = example_form_for(manifest)
    gate = gate_spec(manifest.gate, home.config.gate)
    embeddings, targets = [], []
    for number, row in enumerate(rows, 1):
        progress(number)
        try:
            samples = read_recording(row.path, max_s=MAX_RECORDING_S)
        except SourceError:
            continue
        first, last = speech_span(samples, gate)
        example = form.from_samples(samples[first:last])
        if example is not None and form.fits(example):
            embeddings.append(recogniser.embedding(example))
            targets.append(manifest.labels.index(row.label))
    if not embeddings:
        raise LearningError(f"none of {len(rows)} recordings holds speech that could be evaluated")
    return np.stack(embeddings), np.array(targets, np.int64)
