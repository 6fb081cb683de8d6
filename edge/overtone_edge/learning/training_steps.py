"""Training on the device: batches from the store and steps of the training graph.

The result follows from the examples and the seed alone, so a training can be repeated to the bit.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from overtone_edge.core.errors import LearningError
from overtone_edge.hearing.runtime import TrainingGraph
from overtone_edge.install.quality import Indices, cross_entropy, embeddings_of
from overtone_edge.state.examples import Example
from overtone_models.bundle import Bundle
from overtone_models.front_end import F32
from overtone_models.reference import Reference


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How to train: `scope` head or full, SGD with momentum."""

    scope: str
    steps: int
    learning_rate: float
    momentum: float
    seed: int


@dataclass(frozen=True, eq=False)
class TrainingResult:
    """Flat weights of the scope; losses are mean cross entropies in nats over the training examples."""

    weights: F32
    loss_before: float
    loss_after: float


class Inputs(Protocol):
    """The examples as inputs of a scope."""

    def __len__(self) -> int: ...

    def rows(self, indices: Indices, step: int) -> F32:
        """Return the inputs of some examples; `step` (0 or more) chooses where long ones are cut."""
        ...


class Embeddings:
    """Inputs of the scope head: embeddings `(examples, embedding_size)` of the network as it listens."""

    def __init__(self, bundle: Bundle, examples: Sequence[Example], reference: Reference | None = None) -> None:
        self.values = embeddings_of(bundle, examples, reference)

    def __len__(self) -> int:
        return len(self.values)

    def rows(self, indices: Indices, step: int) -> F32:
        """Return `(len(indices), 2 * channels)`."""
        return self.values[indices]


class Windows:
    """Inputs of the scope full: standardised windows of `frames` frames.

    Longer speech is cut at a place that step and seed choose; shorter speech is repeated from such a
    place, which keeps its statistics (padding with silence would not).
    """

    def __init__(self, bundle: Bundle, examples: Sequence[Example], *, frames: int, seed: int) -> None:
        self._frames = frames
        self._seed = seed
        self._utterances = [bundle.standardise(example.frames) for example in examples]

    def __len__(self) -> int:
        return len(self._utterances)

    def rows(self, indices: Indices, step: int) -> F32:
        """Return `(len(indices), frames, n_mfcc)`."""
        random = np.random.default_rng((self._seed, step))
        return np.stack([self._window(self._utterances[index], random.random()) for index in indices])

    def _window(self, utterance: F32, place: float) -> F32:
        spare = len(utterance) - self._frames
        if spare > 0:
            start = round(place * spare)
            return utterance[start : start + self._frames]
        repeats = -(-self._frames // len(utterance)) + 1
        start = round(place * len(utterance))
        return np.tile(utterance, (repeats, 1))[start : start + self._frames]


def batches(examples: int, batch: int, steps: int, seed: int) -> Iterator[Indices]:
    """Yield `steps` index arrays of at most `batch`; each pass over all has a new order and ends with the rest."""
    random = np.random.default_rng(seed)
    order: Indices = np.zeros(0, np.int64)
    for _ in range(steps):
        if not order.size:
            order = random.permutation(examples)
        yield order[:batch]
        order = order[batch:]


def one_hot(examples: Sequence[Example], labels: tuple[str, ...]) -> F32:
    """Return `(examples, labels)` targets."""
    targets = np.zeros((len(examples), len(labels)), np.float32)
    for row, example in enumerate(examples):
        targets[row, labels.index(example.label)] = 1.0
    return targets


def smooth_labels(targets: F32, amount: float) -> F32:
    """Return targets with `amount` of each spread evenly over all labels, as the base was trained."""
    result: F32 = targets * np.float32(1.0 - amount) + np.float32(amount / targets.shape[1])
    return result


def train(
    bundle: Bundle,
    examples: Sequence[Example],
    plan: Plan,
    *,
    reference: Reference | None = None,
    between_steps: Callable[[], None] = lambda: None,
) -> TrainingResult:
    """Return the weights after `plan.steps` steps from the bundle's own weights on training examples.

    The head learns from embeddings relative to the device's reference; the whole network as if nothing was heard yet.
    Raises LearningError without examples, or where the weights become non-finite.
    """
    if not examples:
        raise LearningError("there is no training example for this model's labels and front end")
    graph = TrainingGraph(bundle.training_model)
    inputs: Inputs
    if plan.scope not in graph.scopes:
        raise LearningError(f"the installed network learns {', '.join(graph.scopes)} here, not the scope {plan.scope}")
    if plan.scope == "head":
        inputs = Embeddings(bundle, examples, reference)
    else:
        inputs = Windows(bundle, examples, frames=graph.frames, seed=plan.seed)
    targets = smooth_labels(one_hot(examples, bundle.manifest.labels), bundle.manifest.label_smoothing)
    graph.set(plan.scope, bundle.weights[bundle.manifest.layout.scope_slice(plan.scope)].copy())
    before = mean_loss(graph, plan.scope, inputs, targets)
    for step, indices in enumerate(batches(len(examples), graph.batch, plan.steps, plan.seed)):
        between_steps()
        x, y, weight = pad_batch(inputs.rows(indices, step), targets[indices], graph.batch)
        graph.train(plan.scope, x, y, weight, lr=plan.learning_rate, momentum=plan.momentum)
    weights = graph.get(plan.scope)[0]
    if not np.isfinite(weights).all():
        raise LearningError(
            f"training diverged: weights are not finite; learning_rate {plan.learning_rate:g} is too high"
        )
    return TrainingResult(weights, before, mean_loss(graph, plan.scope, inputs, targets))


def pad_batch(x: F32, y: F32, batch: int) -> tuple[F32, F32, F32]:
    """Return inputs, targets and weights filled up to `batch` rows; the padding has weight 0."""
    missing = batch - len(x)
    weight = np.pad(np.ones(len(x), np.float32), (0, missing))
    return _fill(x, missing), _fill(y, missing), weight


def _fill(rows: F32, missing: int) -> F32:
    return np.pad(rows, ((0, missing), *((0, 0) for _ in rows.shape[1:])))


def mean_loss(graph: TrainingGraph, scope: str, inputs: Inputs, targets: F32) -> float:
    """Return the mean cross entropy in nats of the graph's weights over all examples."""
    total = 0.0
    for start in range(0, len(inputs), graph.batch):
        indices: Indices = np.arange(start, min(start + graph.batch, len(inputs)))
        x, y, _ = pad_batch(inputs.rows(indices, 0), targets[indices], graph.batch)
        total += float(cross_entropy(graph.infer(scope, x), y)[: len(indices)].sum())
    return total / len(inputs)


def clip_norm(delta: F32, max_norm: float) -> F32:
    """Return `delta`, shortened to the Euclidean norm `max_norm` where it is longer."""
    norm = float(np.linalg.norm(delta.astype(np.float64)))
    if norm <= max_norm:
        return delta
    # A hair below the limit: the receiver computes the norm of rounded values.
    return (delta * np.float32(max_norm / norm * (1.0 - 1e-6))).astype(np.float32)
