"""The TFLite runtime: the only module that imports `ai_edge_litert` or `tflite_runtime`.

It offers three classes: `StreamingNetwork` runs hop by hop, `WindowBody` on a whole window, and `TrainingGraph` trains.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any

import numpy as np

from overtone_edge.core.errors import InferenceError
from overtone_models.front_end import F32

SCOPES = ("head", "full")
_NOTHING = np.zeros(0, np.float32)


def runtime_name() -> str:
    """Return name and version of the runtime in use."""
    module, version = _load()[1:]
    return f"{module} {version}"


def _load() -> tuple[Callable[..., Any], str, str]:
    """Return the interpreter class, its module's name and version; OVERTONE_RUNTIME forces one."""
    name = os.environ.get("OVERTONE_RUNTIME")
    for module, package in (("ai_edge_litert", "ai-edge-litert"), ("tflite_runtime", "tflite-runtime")):
        if name and name != package:
            continue
        try:
            interpreter = import_module(f"{module}.interpreter").Interpreter
        except ImportError:
            continue
        return interpreter, package, str(import_module(module).__version__)
    raise InferenceError(
        f"no TFLite runtime{f' called {name}' if name else ''}: install ai-edge-litert or tflite-runtime"
    )


def _interpreter(model: bytes, threads: int, *, reference: bool = False) -> Any:
    make = _load()[0]
    options: dict[str, Any] = {}
    if reference:
        kernels = import_module(make.__module__).OpResolverType.BUILTIN_REF
        options["experimental_op_resolver_type"] = kernels
    try:
        return make(model_content=model, num_threads=threads, **options)
    except (ValueError, RuntimeError) as error:
        raise InferenceError(f"the runtime refuses the model: {_refusal(str(error))}") from error


def _refusal(problem: str) -> str:
    """Return a runtime's message in one line; a file of newer operators than it has needs another runtime."""
    line = " ".join(problem.split())
    if "Didn't find op" not in line:
        return line
    operator = line.partition("builtin opcode ")[2].partition(".")[0] or line
    return f"{runtime_name()} has no operator {operator}; install ai-edge-litert, or a newer one"


def _runner(interpreter: Any, signature: str) -> Any:
    if signature not in interpreter.get_signature_list():
        raise InferenceError(f"the model has no signature {signature!r}")
    return interpreter.get_signature_runner(signature)


class _Signature:
    """One of a model's functions: named float32 arrays in, named arrays out."""

    def __init__(self, interpreter: Any, name: str) -> None:
        self._call = _runner(interpreter, name)
        details = self._call.get_input_details()
        self.shapes = {name: tuple(map(int, detail["shape"])) for name, detail in details.items()}

    def run(self, inputs: Mapping[str, F32]) -> Any:
        """Return the outputs. Inputs of another shape are refused: the runtime would resize the graph, or crash."""
        for name, shape in self.shapes.items():
            value = inputs.get(name, _NOTHING)
            if value.dtype != np.float32 or value.shape != shape:
                raise InferenceError(
                    f"{name} is {value.dtype} of shape {value.shape}, the model takes float32 of {shape}"
                )
        try:
            return self._call(**inputs)
        except (ValueError, RuntimeError) as error:
            raise InferenceError(f"the runtime cannot run the model: {error}") from error


def _details(interpreter: Any, signature: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the details of a signature's inputs and outputs.

    The runner is released at once: while there is one, the interpreter cannot be called by tensor indices.
    """
    runner = _runner(interpreter, signature)
    return runner.get_input_details(), runner.get_output_details()


def _allocate_tensors(interpreter: Any) -> None:
    """Allocate an interpreter's tensors; raise InferenceError where that fails."""
    try:
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise InferenceError(f"the runtime cannot run the model: {error}") from error


class StreamingNetwork:
    """The int8 network, one hop at a time, with persistent states between calls.

    With `reference` it runs on the runtime's reference kernels, which microcontrollers use: slower, and in rare cases
    rounded to the neighbouring int8 step.
    """

    def __init__(self, model: bytes, threads: int = 1, *, reference: bool = False) -> None:
        self._interpreter = _interpreter(model, threads, reference=reference)
        inputs, outputs = _details(self._interpreter, "step")
        if "frames" not in inputs or "hop" not in outputs:
            raise InferenceError("the streaming model lacks the tensors 'frames' and 'hop'")
        self.hop_frames = int(inputs["frames"]["shape"][1])
        self.n_features = int(inputs["frames"]["shape"][2])
        self.width = int(outputs["hop"]["shape"][-1])
        shapes = {name: tuple(d["shape"]) for name, d in inputs.items() if name != "frames"}
        if shapes != {name: tuple(d["shape"]) for name, d in outputs.items() if name != "hop"}:
            raise InferenceError("the streaming model's states going in and coming out differ")
        if {d["dtype"] for d in (*inputs.values(), *outputs.values())} != {np.float32}:
            raise InferenceError("the streaming model takes or gives other numbers than float32")
        self._allocate({d["index"] for d in inputs.values()})
        self._frames, self._hop = inputs["frames"]["index"], outputs["hop"]["index"]
        self._states = {name: (inputs[name]["index"], outputs[name]["index"]) for name in shapes}
        self._zeros = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
        self.reset()

    def _allocate(self, inputs: set[int]) -> None:
        """Prepare calls by tensor index, which take a third of the time of calls by name."""
        if {details["index"] for details in self._interpreter.get_input_details()} != inputs:
            raise InferenceError("the streaming model's signature 'step' is not of its first graph")
        _allocate_tensors(self._interpreter)

    @property
    def states(self) -> Mapping[str, F32]:
        """The states that the next hop starts from."""
        return {name: self._interpreter.get_tensor(source) for name, (source, _) in self._states.items()}

    def reset(self) -> None:
        """Begin a new utterance."""
        for name, (source, _) in self._states.items():
            self._interpreter.set_tensor(source, self._zeros[name])

    def process(self, frames: F32) -> F32:
        """Return the `(width,)` features of one hop of `(hop_frames, n_features)` standardised frames."""
        if frames.shape != (self.hop_frames, self.n_features):
            expected = (self.hop_frames, self.n_features)
            raise InferenceError(f"a hop has shape {frames.shape}, the model takes {expected}")
        if frames.dtype != np.float32:
            raise InferenceError(f"frames is {frames.dtype}, the model takes float32")
        interpreter = self._interpreter
        interpreter.set_tensor(self._frames, frames[None])
        try:
            interpreter.invoke()
        except (ValueError, RuntimeError) as error:
            raise InferenceError(f"the runtime cannot run the model: {error}") from error
        for source, result in self._states.values():
            interpreter.set_tensor(source, interpreter.get_tensor(result))
        hop: F32 = interpreter.get_tensor(self._hop).reshape(-1)
        return hop


class WindowBody:
    """A window network up to its embedding: inputs x0, x1 ... in, the embedding out."""

    def __init__(self, model: bytes, threads: int = 1) -> None:
        self._interpreter = _interpreter(model, threads)
        _allocate_tensors(self._interpreter)
        outputs = _details(self._interpreter, "embed")[1]
        self._embed = _Signature(self._interpreter, "embed")
        shapes = self._embed.shapes
        if set(shapes) != {f"x{number}" for number in range(len(shapes))} or "embedding" not in outputs:
            raise InferenceError("the body lacks the tensors 'x0', 'x1' ... and 'embedding'")
        self.input_shapes = tuple(shapes[f"x{number}"][1:] for number in range(len(shapes)))
        self.embedding_size = int(outputs["embedding"]["shape"][-1])

    def embed(self, inputs: Sequence[F32]) -> F32:
        """Return the `(embedding_size,)` embedding of one window's standardised inputs, each without the batch."""
        # A fused LSTM keeps its state between runs; without the reset a window would begin in that of the last one.
        self._interpreter.reset_all_variables()
        result = self._embed.run({f"x{number}": value[None] for number, value in enumerate(inputs)})
        embedding: F32 = result["embedding"].reshape(-1).copy()
        return embedding


class TrainingGraph:
    """The float network for training: weights and momentum are held by the interpreter.

    Every graph trains the scope head; that of an edge network the scope full too (`frames` and `n_features` are 0 where
    it does not).
    """

    def __init__(self, model: bytes, threads: int = 1) -> None:
        self._interpreter = _interpreter(model, threads)
        signatures = self._interpreter.get_signature_list()
        self.scopes = tuple(scope for scope in SCOPES if scope == "head" or any(f"{scope}_" in s for s in signatures))
        self._signatures = {
            f"{scope}_{verb}": _Signature(self._interpreter, f"{scope}_{verb}")
            for scope in self.scopes
            for verb in ("set", "get", "train", "infer")
        }
        self.batch, self.embedding_size = self._shape("head_train", "x")
        self.frames, self.n_features = self._shape("full_train", "x")[1:] if "full" in self.scopes else (0, 0)
        self.n_classes = self._shape("head_train", "y")[1]
        self._ready: set[str] = set()

    def _shape(self, signature: str, name: str) -> tuple[int, ...]:
        return self._signatures[signature].shapes[name]

    def size(self, scope: str) -> int:
        """Return the length of the scope's flat weight vector."""
        return self._shape(f"{self._check_scope(scope)}_set", "weights")[0]

    def set(self, scope: str, weights: F32, velocity: F32 | None = None) -> None:
        """Load flat weights and the optimiser's velocity (zeros when None)."""
        expected = (self.size(scope),)
        if velocity is None:
            velocity = np.zeros(expected, np.float32)
        for name, vector in (("weights", weights), ("velocity", velocity)):
            if vector.shape != expected or vector.dtype != np.float32:
                raise InferenceError(
                    f"{name} for scope {scope} are {vector.dtype} of shape {vector.shape}, the model takes {expected}"
                )
        self._signatures[f"{scope}_set"].run({"weights": weights, "velocity": velocity})
        self._ready.add(scope)

    def get(self, scope: str) -> tuple[F32, F32]:
        """Return `(weights, velocity)`."""
        result = self._call(scope, "get")
        return result["weights"].copy(), result["velocity"].copy()

    def train(self, scope: str, x: F32, y: F32, weight: F32, *, lr: float, momentum: float) -> float:
        """Take one step of SGD with momentum and return the loss before it (nats).

        `x` is `(batch, frames, n_features)` for the scope full and `(batch, embedding)` for head;
        `y` is `(batch, n_classes)`; `weight` is `(batch,)`, 0 for rows that only fill the batch.
        """
        result = self._call(
            scope,
            "train",
            x=x,
            y=y,
            weight=weight,
            lr=np.array([lr], np.float32),
            momentum=np.array([momentum], np.float32),
        )
        return float(result["loss"].reshape(-1)[0])

    def infer(self, scope: str, x: F32) -> F32:
        """Return `(batch, n_classes)` logits of one full batch."""
        logits: F32 = self._call(scope, "infer", x=x)["logits"]
        return logits.copy()

    def _call(self, scope: str, verb: str, **inputs: F32) -> Any:
        if self._check_scope(scope) not in self._ready:
            raise InferenceError(f"scope {scope} has no weights yet: call set first")
        return self._signatures[f"{scope}_{verb}"].run(inputs)

    def _check_scope(self, scope: str) -> str:
        if scope not in SCOPES:
            raise InferenceError(f"unknown scope {scope!r}; scopes are {', '.join(SCOPES)}")
        if scope not in self.scopes:
            raise InferenceError(f"the training model has no scope {scope!r}; it has {', '.join(self.scopes)}")
        return scope
