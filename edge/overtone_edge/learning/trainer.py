"""The training process: `python -m overtone_edge.learning.trainer FOLDER`; the agent survives its crash."""

import sys
from pathlib import Path
from typing import Any

import numpy as np

from overtone_edge.core.errors import LearningError
from overtone_edge.core.files import read_limited, storing
from overtone_edge.core.jobs import ROUND, run_child, watch_parent
from overtone_edge.hearing.runtime import TrainingGraph
from overtone_edge.install.quality import embeddings_of, label_numbers, usable_examples
from overtone_edge.learning.cross_validation import cross_validate
from overtone_edge.learning.personal import LabelledEmbeddings, fit
from overtone_edge.learning.training_steps import Plan, clip_norm, train
from overtone_edge.state.examples import Example, Store
from overtone_edge.state.reference import ReferenceStore
from overtone_models.bundle import MAX_BYTES, Bundle, read_bundle
from overtone_models.front_end import F32
from overtone_models.reference import Reference

VECTOR = "vector.npy"


def work(folder: Path, request: dict[str, Any]) -> dict[str, Any]:
    """Train for a round or a personal head and return its figures; the update or the weights lie in `vector.npy`."""
    bundle = read_bundle(read_limited(Path(request["payload"]), MAX_BYTES))
    store = Store(Path(request["store"]), max_bytes=sys.maxsize, held_out_fraction=0.0)
    digest, labels = bundle.manifest.features_digest, bundle.manifest.labels
    examples = usable_examples(bundle, store.examples(digest, labels))
    plan, reference = Plan(**request["plan"]), ReferenceStore(Path(request["reference"])).load(bundle)
    if request["purpose"] == ROUND:
        vector, answer = round_update(bundle, examples, plan, reference, max_norm=request["max_norm"])
    else:
        vector, answer = personal_head(bundle, examples, plan, reference)
    with storing(folder):
        np.save(folder / VECTOR, vector, allow_pickle=False)
    return answer


def round_update(
    bundle: Bundle, examples: list[Example], plan: Plan, reference: Reference | None = None, *, max_norm: float
) -> tuple[F32, dict[str, Any]]:
    """Return `trained - base` of norm at most `max_norm`, and the figures that the update carries."""
    training = [example for example in examples if not example.held_out]
    result = train(bundle, training, plan, reference=reference, between_steps=watch_parent())
    base = bundle.weights[bundle.manifest.layout.scope_slice(plan.scope)]
    answer = {
        "base": bundle.base,
        "examples": len(training),
        "loss_before": result.loss_before,
        "loss_after": result.loss_after,
    }
    return clip_norm(result.weights - base, max_norm), answer


def personal_head(
    bundle: Bundle, examples: list[Example], plan: Plan, reference: Reference | None = None
) -> tuple[F32, dict[str, Any]]:
    """Return a head trained on all examples, and the figures of its cross-validation."""
    labels = bundle.manifest.labels
    numbers = label_numbers(bundle, examples)
    utterances = LabelledEmbeddings(embeddings_of(bundle, examples, reference), numbers)
    graph, watch = TrainingGraph(bundle.training_model), watch_parent()

    def fit_part(part: LabelledEmbeddings) -> F32:
        return fit(graph, bundle.head, part, plan, smoothing=bundle.manifest.label_smoothing, between_steps=watch)

    validation = cross_validate(bundle.head, utterances, fit_part, temperature=bundle.manifest.calibration.temperature)
    return fit_part(utterances), {
        "base": bundle.base,
        "kept": validation.confirms,
        "examples": len(examples),
        "judged": validation.utterance_count,
        "unlabelled": [label for number, label in enumerate(labels) if number not in numbers],
        "uar_before": validation.before.uar,
        "loss_before": validation.before.loss,
        "uar_after": validation.after.uar,
        "loss_after": validation.after.loss,
        "loss_margin": validation.margin,
    }


def read_vector(folder: Path) -> F32:
    """Return the vector that a training left in its folder; raise LearningError for anything else."""
    try:
        vector: F32 = np.load(folder / VECTOR, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise LearningError(f"training left no vector: {error}") from error
    if vector.dtype != np.float32 or vector.ndim != 1 or not np.isfinite(vector).all():
        raise LearningError(f"training left {vector.dtype} of shape {vector.shape}, not a finite float32 vector")
    return vector


if __name__ == "__main__":
    sys.exit(run_child(work))
