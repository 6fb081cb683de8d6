"""Runs the streaming network in TensorFlow Lite Micro; the only module that imports `tflite_micro`."""

from typing import Any

import numpy as np

from overtone_converters.errors import ConversionError, ParityError
from overtone_edge.hearing.runtime import StreamingNetwork
from overtone_models.bundle import Bundle
from overtone_models.front_end import F32, mfcc
from overtone_models.networks import native_stderr_silenced

ARENA_STEP_BYTES = 256
LARGEST_ARENA_BYTES = 64 * 1024 * 1024


class MicroNetwork:
    """A streaming file in the Micro interpreter, one hop at a time; `process` as `StreamingNetwork` has it."""

    def __init__(self, model: bytes, *, arena_bytes: int = LARGEST_ARENA_BYTES) -> None:
        self.inputs, self.outputs = tensor_order(model)
        try:
            with native_stderr_silenced():
                self._interpreter = _runtime().Interpreter.from_bytes(model, arena_size=arena_bytes)
        except RuntimeError as error:
            raise ConversionError(
                f"TensorFlow Lite Micro refuses the model in an arena of {arena_bytes} bytes"
            ) from error
        self._shapes = [
            tuple(map(int, self._interpreter.get_input_details(i)["shape"])) for i in range(len(self.inputs))
        ]
        self.reset()

    def reset(self) -> None:
        """Begin a new utterance."""
        self.states = {
            name: np.zeros(shape, np.float32)
            for name, shape in zip(self.inputs, self._shapes, strict=True)
            if name != "frames"
        }

    def process(self, frames: F32) -> F32:
        """Return the `(width,)` features of one hop of `(hop_frames, n_features)` standardised frames."""
        inputs = {"frames": frames[None], **self.states}
        for index, name in enumerate(self.inputs):
            self._interpreter.set_input(inputs[name], index)
        self._interpreter.invoke()
        values = {name: self._interpreter.get_output(index).copy() for index, name in enumerate(self.outputs)}
        hop: F32 = values.pop("hop").reshape(-1)
        self.states = values
        return hop


def tensor_order(model: bytes) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the signature's names of inputs and outputs in the file's order: Micro addresses them by number."""
    from tensorflow.lite.python import schema_py_generated as schema

    file = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(model, 0))
    (signature,) = file.signatureDefs
    graph = file.subgraphs[signature.subgraphIndex]

    def names(places: Any, listed: Any) -> tuple[str, ...]:
        by_tensor = {item.tensorIndex: item.name.decode() for item in listed}
        return tuple(by_tensor[place] for place in places)

    return names(graph.inputs, signature.inputs), names(graph.outputs, signature.outputs)


def operators(model: bytes) -> tuple[str, ...]:
    """Return the names of the operators that the file needs, in alphabetical order."""
    from tensorflow.lite.python import schema_py_generated as schema

    names = {code: name for name, code in vars(schema.BuiltinOperator).items() if isinstance(code, int)}
    file = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(model, 0))
    return tuple(sorted(names[max(code.builtinCode, code.deprecatedBuiltinCode)] for code in file.operatorCodes))


def arena_bytes(model: bytes) -> int:
    """Return the smallest arena, a multiple of 256 bytes, in which Micro runs the file on this machine.

    A microcontroller's pointers are half as long, so it needs less.
    """
    low, high = 0, LARGEST_ARENA_BYTES // ARENA_STEP_BYTES
    while high - low > 1:
        middle = (low + high) // 2
        try:
            MicroNetwork(model, arena_bytes=middle * ARENA_STEP_BYTES)
            high = middle
        except ConversionError:
            low = middle
    return high * ARENA_STEP_BYTES


def check_parity(bundle: Bundle, samples: F32) -> int:
    """Return the number of hops of `samples`; raise ParityError unless outputs and states are bit-identical on both.

    The device's runtime uses its reference kernels here, whose rounding Micro's kernels follow.
    """
    frames = bundle.standardise(mfcc(samples, bundle.manifest.front_end))
    size = bundle.manifest.edge.hop_frames
    device = StreamingNetwork(bundle.streaming_model, reference=True)
    micro = MicroNetwork(bundle.streaming_model)
    hops = len(frames) // size
    for hop in range(hops):
        part = np.ascontiguousarray(frames[hop * size : (hop + 1) * size], np.float32)
        expected, values = device.process(part), micro.process(part)
        if not np.array_equal(expected, values) or any(
            not np.array_equal(state, micro.states[name]) for name, state in device.states.items()
        ):
            most = float(np.abs(expected - values).max())
            raise ParityError(f"hop {hop} differs between the device's runtime and Micro by up to {most:.3g}")
    return hops


def _runtime() -> Any:
    try:
        from tflite_micro import runtime
    except ImportError as error:
        raise ConversionError("the library tflite-micro is not installed; pip install 'overtone[micro]'") from error
    return runtime
