"""Verifies a window bundle: the device's runtime against Keras, and the latency there."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from overtone_converters.errors import ParityError
from overtone_converters.verify import MAX_GOLDEN_DIFFERENCE, MAX_STEP_DIFFERENCE, MIN_AGREEMENT, head_step_difference
from overtone_converters.window_network import WindowNetwork
from overtone_edge.core.errors import InferenceError
from overtone_edge.hearing.runtime import WindowBody, runtime_name
from overtone_edge.hearing.streaming import golden_difference
from overtone_models.bundle import Bundle
from overtone_models.front_end import F32
from overtone_models.window_inputs import WindowInputs
from overtone_models.window_spec import WindowSpec

MAX_FLOAT_DIFFERENCE = 1e-4
RUNS = 50
MAX_RUNS_S = 3.0


@dataclass(frozen=True, kw_only=True)
class WindowVerification:
    """Comparison on the test rows; shares are 0..1, `logit_difference` is the largest over the largest logit (or 1).

    `refused_by_agent` says why a device cannot run the network, empty where it can. `features_p50_ms` is the time
    of all inputs of one window, None where they cannot be computed.
    """

    network: str
    precision: str
    runtime: str
    rows: int
    label_agreement: float
    logit_difference: float
    accuracy_keras: float
    accuracy_device: float
    head_step_difference: float
    golden_difference: float
    latency_p50_ms: float
    features_p50_ms: float | None
    body_bytes: int
    training_bytes: int
    window_s: float
    decision_every_s: float
    refused_by_agent: str

    def to_json(self) -> dict[str, Any]:
        """Return the results as JSON."""
        return {**asdict(self), "accuracy_change": self.accuracy_device - self.accuracy_keras}

    def failures(self) -> list[str]:
        """Return one line per exceeded limit."""
        limits = [
            ("label agreement", self.label_agreement, ">=", MIN_AGREEMENT),
            ("head training difference", self.head_step_difference, "<=", MAX_STEP_DIFFERENCE),
            ("golden clip difference", self.golden_difference, "<=", MAX_GOLDEN_DIFFERENCE),
        ]
        if self.precision == "float32":
            limits.append(("logit difference", self.logit_difference, "<=", MAX_FLOAT_DIFFERENCE))
        return [
            f"{what} is {value:.3g}, limit is {sign} {limit:g}"
            for what, value, sign, limit in limits
            if not (value >= limit if sign == ">=" else value <= limit)
        ]


@dataclass(frozen=True)
class Parity:
    """Label agreement and logit difference between device and Keras."""

    agreement: float
    difference: float

    def failure(self, precision: str) -> str:
        """Return the exceeded limit as a message; empty where there is none."""
        if not self.agreement >= MIN_AGREEMENT:
            return f"label agreement is {self.agreement:.3g}, limit is >= {MIN_AGREEMENT:g}"
        if precision == "float32" and not self.difference <= MAX_FLOAT_DIFFERENCE:
            return f"logit difference is {self.difference:.3g}, limit is <= {MAX_FLOAT_DIFFERENCE:g}"
        return ""


def parity(expected: F32, actual: F32) -> Parity:
    """Return the comparison of `(rows, classes)` logits."""
    scale = max(1.0, float(np.abs(expected).max()))
    difference = float(np.abs(actual - expected).max()) / scale
    return Parity(float((actual.argmax(1) == expected.argmax(1)).mean()), difference)


def device_embeddings(body: bytes, inputs: list[F32]) -> F32:
    """Return `(rows, embedding)` of standardised rows `(rows, *shape)` on the device's runtime."""
    runtime = WindowBody(body)
    rows = [runtime.embed([np.ascontiguousarray(x[row]) for x in inputs]) for row in range(len(inputs[0]))]
    return np.stack(rows)


def verify_window(bundle: Bundle, network: WindowNetwork) -> WindowVerification:
    """Return the bundle's parity, accuracy and latency on the network's test rows; raise ParityError where it cannot
    run."""
    spec = bundle.manifest.window
    if spec.input_shapes != network.input_shapes:
        raise ParityError(f"the bundle takes {spec.input_shapes}, the folder's network {network.input_shapes}")
    try:
        return _compare(bundle, spec, network)
    except InferenceError as error:
        raise ParityError(f"bundle refused: {error}") from error


def _compare(bundle: Bundle, spec: WindowSpec, network: WindowNetwork) -> WindowVerification:
    inputs = spec.standardise(network.raw_test, bundle.standardise_mean, bundle.standardise_scale)
    embeddings: F32 = device_embeddings(bundle.streaming_model, inputs) * np.float32(spec.embedding_scale)
    head = bundle.manifest.layout.unflatten(bundle.weights)
    actual: F32 = embeddings @ head["head/w"] + head["head/b"]
    expected = network.logits(network.test)
    result = parity(expected, actual)
    body = WindowBody(bundle.streaming_model)
    first = [np.ascontiguousarray(x[0]) for x in inputs]
    return WindowVerification(
        network=spec.name,
        precision=spec.precision,
        runtime=runtime_name(),
        rows=len(network.targets),
        label_agreement=result.agreement,
        logit_difference=result.difference,
        accuracy_keras=float((expected.argmax(1) == network.targets).mean()),
        accuracy_device=float((actual.argmax(1) == network.targets).mean()),
        head_step_difference=head_step_difference(bundle, embeddings, network.targets),
        golden_difference=0.0 if spec.missing else golden_difference(bundle),
        latency_p50_ms=median_ms(lambda: body.embed(first) @ head["head/w"] + head["head/b"]),
        features_p50_ms=None if spec.missing else _features_ms(bundle, spec),
        body_bytes=len(bundle.streaming_model),
        training_bytes=len(bundle.training_model),
        window_s=spec.window_s,
        decision_every_s=spec.decision_every_s,
        refused_by_agent=spec.missing,
    )


def _features_ms(bundle: Bundle, spec: WindowSpec) -> float:
    inputs = WindowInputs(spec)
    window = np.resize(bundle.golden_samples, inputs.samples)
    return median_ms(lambda: inputs.compute(window))


def median_ms(work: Callable[[], Any]) -> float:
    """Return the median of the times of up to `RUNS` runs, after one to warm up."""
    work()
    times_ns: list[int] = []
    began = time.monotonic()
    while len(times_ns) < RUNS and (len(times_ns) < 3 or time.monotonic() - began < MAX_RUNS_S):
        before = time.perf_counter_ns()
        work()
        times_ns.append(time.perf_counter_ns() - before)
    return float(np.median(times_ns)) / 1e6


def require_window(result: WindowVerification) -> None:
    """Raise ParityError that names every exceeded limit."""
    if failures := result.failures():
        raise ParityError(f"bundle of {result.network} refused: {'; '.join(failures)}")


def with_name(result: WindowVerification, name: str) -> WindowVerification:
    """Return the result under another name (the folder's, where one network was trained several times)."""
    return replace(result, network=name)
