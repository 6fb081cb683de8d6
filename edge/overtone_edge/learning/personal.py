"""Training of a personal head: labelled embeddings in, flat weights out, by the training graph's scope head.

The shared head is the prior: every step pulls back towards it, the more strongly the fewer utterances there are. The
result follows from the examples and the plan alone, so it can be repeated to the bit.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from overtone_edge.hearing.runtime import TrainingGraph
from overtone_edge.install.quality import Indices, logits_of, split_head
from overtone_edge.learning.training_steps import Plan, batches, pad_batch
from overtone_models.front_end import F32

PRIOR = 0.1
"""How much the shared head weighs against the utterances; docs/personal.md has the alternatives."""

SCALE_FLOOR = 0.3
"""Smallest scale of a channel, relative to the mean deviation: one that hardly varies is not amplified."""

UNLABELLED_SHARE = 0.45
"""Largest share of a target for the emotions that the owner has not labelled: less than the share of the label."""


@dataclass(frozen=True, eq=False)
class LabelledEmbeddings:
    """Utterances of an owner: embeddings `(n, width)` and the numbers of their labels `(n,)`."""

    embeddings: F32
    labels: Indices

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: NDArray[np.bool_]) -> "LabelledEmbeddings":
        """Return some of the utterances."""
        return LabelledEmbeddings(self.embeddings[rows], self.labels[rows])


@dataclass(frozen=True, eq=False)
class Coordinates:
    """Coordinates centred on the owner's speech, with embeddings of length about 1; `mean` and `scale` are `(width,)`.

    In them one learning rate serves every network, and no loud channel drowns a quiet one.
    """

    mean: F32
    scale: F32

    @classmethod
    def of(cls, embeddings: F32) -> "Coordinates":
        """Return the coordinates of `(n, width)`."""
        deviation = embeddings.std(axis=0, dtype=np.float64)
        typical = float(deviation.mean()) or 1.0
        scale = np.maximum(deviation, SCALE_FLOOR * typical) * np.sqrt(embeddings.shape[1])
        return cls(embeddings.mean(axis=0, dtype=np.float64).astype(np.float32), scale.astype(np.float32))

    def transform(self, embeddings: F32) -> F32:
        """Return `(n, width)` embeddings transformed to these coordinates."""
        result: F32 = (embeddings - self.mean) / self.scale
        return result

    def transform_head(self, head: F32) -> F32:
        """Return the flat head that gives the logits of `head` on transformed embeddings."""
        w, b = split_head(head, len(self.mean))
        return _flat(w * self.scale[:, None], b + self.mean @ w)

    def restore_head(self, head: F32) -> F32:
        """Return the flat head for embeddings before the transform: the inverse of `transform_head`."""
        w, b = split_head(head, len(self.mean))
        w = w / self.scale[:, None]
        return _flat(w, b - self.mean @ w)


def _flat(w: NDArray[np.float64], b: NDArray[np.float64]) -> F32:
    return np.concatenate([w.ravel(), b]).astype(np.float32)


def targets_of(logits: F32, labels: Indices, smoothing: float) -> F32:
    """Return `(n, K)` targets: the label, and a share of the shared head's answer for emotions without any utterance.

    Without the second part a head would learn never to answer an emotion that the owner has not labelled yet.
    """
    wide = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    present = np.isin(np.arange(logits.shape[1]), labels)
    prior = wide / wide.sum(axis=1, keepdims=True) * ~present
    prior *= UNLABELLED_SHARE / np.maximum(prior.sum(axis=1, keepdims=True), UNLABELLED_SHARE)
    own = np.eye(logits.shape[1])[labels] * (1.0 - smoothing) + smoothing / present.sum() * present
    result: F32 = (prior + own * (1.0 - prior.sum(axis=1, keepdims=True))).astype(np.float32)
    return result


def class_weights(labels: Indices) -> F32:
    """Return `(n,)` example weights of mean 1 with which every label counts the same."""
    weights = 1.0 / np.bincount(labels)[labels]
    result: F32 = (weights / weights.mean()).astype(np.float32)
    return result


def fit(
    graph: TrainingGraph,
    shared: F32,
    utterances: LabelledEmbeddings,
    plan: Plan,
    *,
    smoothing: float,
    between_steps: Callable[[], None] = lambda: None,
) -> F32:
    """Return the flat head after `plan.steps` steps from the `shared` one."""
    coordinates = Coordinates.of(utterances.embeddings)
    start = coordinates.transform_head(shared)
    inputs = coordinates.transform(utterances.embeddings)
    targets = targets_of(logits_of(shared, utterances.embeddings), utterances.labels, smoothing)
    weights = class_weights(utterances.labels)
    pull = plan.learning_rate / (1.0 - plan.momentum) * PRIOR / len(utterances)
    graph.set("head", start)
    for rows in batches(len(utterances), graph.batch, plan.steps, plan.seed):
        between_steps()
        x, y, weight = pad_batch(inputs[rows], targets[rows], graph.batch)
        weight[: len(rows)] = weights[rows]
        graph.train("head", x, y, weight, lr=plan.learning_rate, momentum=plan.momentum)
        head, velocity = graph.get("head")
        # The pull towards the shared head, as an implicit step: it is stable for any rate.
        graph.set("head", ((head + pull * start) / (1.0 + pull)).astype(np.float32), velocity)
    return coordinates.restore_head(graph.get("head")[0])
