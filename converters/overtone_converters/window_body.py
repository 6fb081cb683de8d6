"""Converts the body of a window network to TFLite builtin operators: int8, float, or float with int8 weights."""

import importlib
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from overtone_converters.errors import ConversionError
from overtone_converters.window_lstm import lstm_steps, rewritten
from overtone_models.front_end import F32
from overtone_models.networks import native_stderr_silenced, tf
from overtone_models.networks.window import USUAL_PRECISIONS

MAX_UNROLLED_STEPS = 64
"""Longer LSTMs are not unrolled: conversion takes minutes and the file grows by kilobytes per step."""


@dataclass(frozen=True)
class Form:
    """Form of the converted body; `lstm` is "", "fused" or "unrolled"."""

    precision: str
    lstm: str

    def __str__(self) -> str:
        return f"{self.precision}, LSTM {self.lstm}" if self.lstm else self.precision


def forms(body: Any, precisions: Sequence[str] = USUAL_PRECISIONS) -> list[Form]:
    """Return the forms to try, in the order of `precisions`; an LSTM in int8 is also tried unrolled."""
    steps = lstm_steps(body)
    if not steps:
        return [Form(precision, "") for precision in precisions]
    listed = []
    for precision in precisions:
        listed.append(Form(precision, "fused"))
        if precision == "int8" and steps <= MAX_UNROLLED_STEPS:
            listed.append(Form(precision, "unrolled"))
    return listed


class BodyGraph:
    """The body as a TensorFlow function of one window, with constant weights."""

    def __init__(self, body: Any, shapes: Sequence[tuple[int, ...]], lstm: str) -> None:
        self.shapes = shapes
        model = rewritten(body, unrolled=lstm == "unrolled") if lstm else body
        # As constants: a file converted from variables may lack its weights.
        trainable = [tf.constant(v.numpy()) for v in model.trainable_variables]
        others = [tf.constant(v.numpy()) for v in model.non_trainable_variables]

        def embed(*inputs: Any) -> dict[str, Any]:
            arguments = list(inputs) if len(inputs) > 1 else inputs[0]
            embedding, _ = model.stateless_call(trainable, others, arguments, training=False)
            return {"embedding": embedding}

        signature = [tf.TensorSpec([1, *shape], name=f"x{number}") for number, shape in enumerate(shapes)]
        self.module = tf.Module()
        self.module.embed = tf.function(embed, input_signature=signature, autograph=False)
        self.function = self.module.embed.get_concrete_function()

    def converted(self, precision: str, calibration: Sequence[F32]) -> bytes:
        """Return the TFLite with the signature `embed(x0, ...) -> embedding`; raise ConversionError.

        `calibration` holds standardised inputs `(rows, *shape)`; their rows set the int8 ranges.
        """
        with tempfile.TemporaryDirectory() as folder, native_stderr_silenced():
            tf.saved_model.save(self.module, folder, signatures={"embed": self.function})
            converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=["embed"])
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
            if precision != "float32":
                converter.optimizations = [tf.lite.Optimize.DEFAULT]
            if precision == "int8":
                converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
                converter.representative_dataset = lambda: _rows(calibration)
            return self._run(converter, precision)

    def _run(self, converter: Any, precision: str) -> bytes:
        failure = importlib.import_module("tensorflow.lite.python.convert_phase").ConverterError
        try:
            with warnings.catch_warnings():
                # The converter calibrates with TensorFlow's own interpreter, which prints a notice on every use.
                warnings.filterwarnings("ignore", message=r"(?s).*tf\.lite\.Interpreter is deprecated")
                model: bytes = converter.convert()
        except (failure, RuntimeError, ValueError) as error:
            line = next((text for text in str(error).splitlines() if text.strip()), type(error).__name__)
            raise ConversionError(f"no {precision} file: {line.strip()[:200]}") from error
        return model


def _rows(calibration: Sequence[F32]) -> Iterator[tuple[str, dict[str, F32]]]:
    for row in range(len(calibration[0])):
        yield "embed", {f"x{number}": np.ascontiguousarray(x[row][None]) for number, x in enumerate(calibration)}


def multiply_adds(function: Any) -> int:
    """Return the multiply-adds of a body for one window: matrix products, convolutions, attention, fused LSTM."""
    return sum(_cost(op) for op in function.graph.get_operations())


def _cost(op: Any) -> int:
    if op.type in ("PartitionedCall", "StatefulPartitionedCall"):
        shapes = [tuple(tensor.shape) for tensor in op.inputs]
        if len(shapes) == 6 and len(shapes[0]) == 3:  # the arguments of a fused LSTM
            (_, steps, inputs), (units, width) = shapes[0], shapes[4]
            return int(steps * width * (inputs + units))
    if op.type in ("Conv2D", "MatMul", "BatchMatMulV2", "DepthwiseConv2dNative", "Einsum"):
        first, second = (tuple(tensor.shape) for tensor in op.inputs[:2])
        outputs = int(np.prod(op.outputs[0].shape))
        if op.type == "Einsum":
            return _einsum_cost(op.get_attr("equation").decode(), first, second)
        if op.type == "Conv2D":
            return outputs * int(np.prod(second[:3]))
        if op.type == "DepthwiseConv2dNative":
            return outputs * int(np.prod(second[:2]))
        turned = op.get_attr("transpose_a" if op.type == "MatMul" else "adj_x")
        return outputs * int(first[-2] if turned else first[-1])
    return 0


def _einsum_cost(equation: str, first: tuple[int, ...], second: tuple[int, ...]) -> int:
    """Return the product of all axes that an equation without dots names."""
    operands = equation.partition("->")[0].split(",")
    sizes = dict(zip("".join(operands), (*first, *second), strict=False))
    return int(np.prod(list(sizes.values())))
