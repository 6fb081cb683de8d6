"""Verifies a bundle: the device's runtime against the float network in TensorFlow."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from overtone_converters.errors import ParityError
from overtone_edge.core.errors import InferenceError
from overtone_edge.hearing.runtime import TrainingGraph, runtime_name
from overtone_edge.hearing.streaming import StreamingRecogniser, golden_difference
from overtone_models.bundle import Bundle
from overtone_models.front_end import F32
from overtone_models.metrics import unweighted_average_recall
from overtone_models.networks import edge_tcn, tf

MIN_AGREEMENT = 0.98
MAX_UAR_LOSS = 0.01
MAX_STEP_DIFFERENCE = 1e-5
MAX_GOLDEN_DIFFERENCE = 0.02
STEPS = 20
ORDERS = 15
# Larger rates amplify float32 rounding, on any runtime.
LEARNING_RATES = {"head": 0.05, "full": 0.003}
MOMENTUM = 0.9


Limit = tuple[str, float, str, float]


@dataclass(frozen=True, kw_only=True)
class OnRuntime:
    """Results common to all checks: training steps and golden clip; differences are the largest of any value."""

    runtime: str
    head_step_difference: float
    full_step_difference: float
    golden_difference: float
    streaming_bytes: int
    training_bytes: int

    def to_json(self) -> dict[str, Any]:
        """Return the results as JSON."""
        return asdict(self)

    def limits(self) -> list[Limit]:
        """Return name, value, comparison sign and limit of each figure."""
        return [
            ("head training difference", self.head_step_difference, "<=", MAX_STEP_DIFFERENCE),
            ("full training difference", self.full_step_difference, "<=", MAX_STEP_DIFFERENCE),
            ("golden clip difference", self.golden_difference, "<=", MAX_GOLDEN_DIFFERENCE),
        ]

    def failures(self) -> list[str]:
        """Return one line per exceeded limit."""
        return [
            f"{what} is {value:.3g}, limit is {sign} {limit:g}"
            for what, value, sign, limit in self.limits()
            if not (value >= limit if sign == ">=" else value <= limit)
        ]

    def require(self) -> None:
        """Raise ParityError that names every exceeded limit."""
        if failures := self.failures():
            raise ParityError(f"bundle refused: {'; '.join(failures)}")


@dataclass(frozen=True, kw_only=True)
class Verification(OnRuntime):
    """Comparison on recordings; shares are 0..1."""

    utterances: int
    label_agreement: float
    uar_offline: float
    uar_streaming: float

    def limits(self) -> list[Limit]:
        """Return name, value, comparison sign and limit of each figure."""
        what, change = "UAR of int8 streaming less offline", self.uar_streaming - self.uar_offline
        return [
            ("label agreement", self.label_agreement, ">=", MIN_AGREEMENT),
            (what, change, ">=", -MAX_UAR_LOSS),
            (what, change, "<=", MAX_UAR_LOSS),
            *super().limits(),
        ]


def on_runtime(bundle: Bundle, standardised: Sequence[F32], targets: NDArray[np.int64]) -> dict[str, Any]:
    """Return the fields of `OnRuntime`, measured on standardised utterances."""
    return {
        "runtime": runtime_name(),
        "head_step_difference": step_difference(bundle, "head", standardised, targets),
        "full_step_difference": step_difference(bundle, "full", standardised, targets),
        "golden_difference": golden_difference(bundle),
        "streaming_bytes": len(bundle.streaming_model),
        "training_bytes": len(bundle.training_model),
    }


def verify_bundle(bundle: Bundle, utterances: Sequence[F32], targets: NDArray[np.int64]) -> Verification:
    """Return the comparison on `(frames, n_mfcc)` utterances of speakers outside the training data."""
    if not utterances:
        raise ParityError("no utterances to verify with")
    try:
        return _compare(bundle, utterances, targets)
    except InferenceError as error:
        raise ParityError(f"bundle refused: {error}") from error


def _compare(bundle: Bundle, utterances: Sequence[F32], targets: NDArray[np.int64]) -> Verification:
    spec = bundle.manifest.edge
    standardised = [bundle.standardise(mfcc) for mfcc in utterances]
    offline = edge_tcn.logits(spec, bundle.weights, standardised).argmax(1)
    streaming = streaming_probabilities(bundle, utterances).argmax(1)
    return Verification(
        utterances=len(utterances),
        label_agreement=float((offline == streaming).mean()),
        uar_offline=unweighted_average_recall(offline, targets, spec.n_classes),
        uar_streaming=unweighted_average_recall(streaming, targets, spec.n_classes),
        **on_runtime(bundle, standardised, targets),
    )


def streaming_probabilities(bundle: Bundle, utterances: Sequence[F32]) -> F32:
    """Return `(n, K)` probabilities of whole utterances by the int8 streaming network."""
    recogniser = StreamingRecogniser(bundle)
    return recogniser.probabilities(np.stack([recogniser.embedding(mfcc) for mfcc in utterances]))


def step_difference(bundle: Bundle, scope: str, standardised: Sequence[F32], targets: NDArray[np.int64]) -> float:
    """Return the difference of 20 training steps on the runtime from 20 by TensorFlow's own gradients, at best.

    Two correct computations diverge where a unit's input lies within float32 rounding of zero: its relu
    passes the gradient in one and not in the other. That happens in some orders of batches and not in
    others, whereas a wrong gradient differs in all of them; so the first order within the limit counts.
    """
    least = np.inf
    for seed in range(ORDERS):
        least = min(least, _difference(bundle, scope, standardised, targets, seed))
        if least <= MAX_STEP_DIFFERENCE:
            break
    return float(least)


def _difference(
    bundle: Bundle, scope: str, standardised: Sequence[F32], targets: NDArray[np.int64], seed: int
) -> float:
    graph, spec = TrainingGraph(bundle.training_model), bundle.manifest.edge

    def inputs_of(rows: NDArray[np.int64]) -> F32:
        utterances = [standardised[row] for row in rows]
        if scope == "full":
            return edge_tcn.pad_utterances(utterances, spec, graph.frames)[0]
        return edge_tcn.embeddings(spec, bundle.weights, utterances)

    return _training_difference(bundle, graph, scope, inputs_of, targets, seed)


def head_step_difference(bundle: Bundle, embeddings: F32, targets: NDArray[np.int64]) -> float:
    """Return `step_difference` of the head alone, from `(rows, embedding)` embeddings of any network."""
    graph = TrainingGraph(bundle.training_model)
    return _training_difference(bundle, graph, "head", lambda rows: embeddings[rows], targets, seed=0)


def _training_difference(
    bundle: Bundle,
    graph: TrainingGraph,
    scope: str,
    inputs_of: Callable[[NDArray[np.int64]], F32],
    targets: NDArray[np.int64],
    seed: int,
) -> float:
    """Return the largest weight difference of runtime and TensorFlow after `STEPS` steps on random rows."""
    layout = bundle.manifest.layout
    rng = np.random.default_rng(seed)
    graph.set(scope, bundle.weights[layout.scope_slice(scope)])
    reference = _Reference(bundle, scope)
    for _ in range(STEPS):
        rows = rng.integers(0, len(targets), graph.batch)
        weight = np.ones(graph.batch, np.float32)
        weight[-2:] = 0.0
        x = inputs_of(rows)
        y = np.eye(bundle.manifest.network.n_classes, dtype=np.float32)[targets[rows]]
        graph.train(scope, x, y, weight, lr=LEARNING_RATES[scope], momentum=MOMENTUM)
        reference.train(x, y, weight)
    return float(np.abs(graph.get(scope)[0] - reference.weights()).max())


class _Reference:
    """The plain network trained by TensorFlow's own automatic gradients, step by step."""

    def __init__(self, bundle: Bundle, scope: str) -> None:
        self._manifest, self._scope = bundle.manifest, scope
        tensors = bundle.manifest.layout.unflatten(bundle.weights)
        heads = {t.name for t in bundle.manifest.layout.tensors if t.head}
        names = [name for name in tensors if scope == "full" or name in heads]
        self._variables = {name: tf.Variable(tensors[name]) for name in names}
        self._velocity = {name: np.zeros_like(tensors[name]) for name in names}

    def train(self, x: F32, y: F32, weight: F32) -> None:
        """Take one step of SGD with momentum."""
        with tf.GradientTape() as tape:
            losses = tf.nn.softmax_cross_entropy_with_logits(y, self._logits(x))
            loss = tf.reduce_sum(losses * weight) / weight.sum()
        gradients = tape.gradient(loss, self._variables)
        for name, variable in self._variables.items():
            self._velocity[name] = MOMENTUM * self._velocity[name] + gradients[name].numpy()
            variable.assign_sub(LEARNING_RATES[self._scope] * self._velocity[name])

    def _logits(self, x: F32) -> Any:
        embedding = tf.constant(x)
        if self._scope == "full":
            spec = self._manifest.edge
            states = [tf.constant(state) for state in edge_tcn.zero_states(spec, len(x))]
            hops, _ = edge_tcn.body(spec, self._variables, embedding, states)
            embedding = edge_tcn.masked_statistics(hops, tf.ones(hops.shape[:2]))
        return tf.matmul(embedding, self._variables["head/w"]) + self._variables["head/b"]

    def weights(self) -> F32:
        """Return the scope's flat weights."""
        return np.concatenate([variable.numpy().reshape(-1) for variable in self._variables.values()])
