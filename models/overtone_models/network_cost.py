"""Cost of a network per layer: multiply-adds and bytes of int8 weights."""

import math
from dataclasses import dataclass

from overtone_models.errors import ModelError
from overtone_models.layout import Tensor
from overtone_models.network_spec import EdgeTcnSpec

BIAS_BYTES = 4


@dataclass(frozen=True, kw_only=True)
class LayerCost:
    """Cost of one layer: `multiply_adds` for a number of frames, `weight_bytes` as int8 weights and int32 biases."""

    name: str
    multiply_adds: int
    weight_bytes: int


def layer_costs(spec: EdgeTcnSpec, frames: int) -> tuple[LayerCost, ...]:
    """Return each layer's cost for `frames` MFCC frames, in the network's order; their sum is `spec.multiply_adds`.

    A convolution uses each weight once per step, and strides reduce the steps; the head uses its weights once. Raises
    ModelError where the sum differs from the specification's.
    """
    names = list(dict.fromkeys(_layer(tensor) for tensor in spec.layout.tensors))
    by_layer = {name: [t for t in spec.layout.tensors if _layer(t) == name] for name in names}
    steps = _steps(spec, frames)
    costs = tuple(_cost(name, tensors, steps[name.split("/")[0]]) for name, tensors in by_layer.items())
    total = sum(cost.multiply_adds for cost in costs)
    if total != spec.multiply_adds(frames):
        raise ModelError(f"layers take {total} multiply-adds in all, the network {spec.multiply_adds(frames)}")
    return costs


def _steps(spec: EdgeTcnSpec, frames: int) -> dict[str, int]:
    """Return the number of steps of each layer."""
    steps, by_layer = frames, {"head": 1}
    for convolution in spec.convolutions:
        steps //= convolution.stride
        by_layer[convolution.name] = steps
    return by_layer


def costliest(costs: tuple[LayerCost, ...], attribute: str) -> LayerCost:
    """Return the layer with the most of an attribute, `multiply_adds` or `weight_bytes`."""
    return max(costs, key=lambda cost: int(getattr(cost, attribute)))


def _layer(tensor: Tensor) -> str:
    """Return the layer that a tensor belongs to: a depthwise kernel and a pointwise one are two."""
    prefix, _, last = tensor.name.rpartition("/")
    return tensor.name if last == "depthwise" else prefix


def _cost(name: str, tensors: list[Tensor], steps: int) -> LayerCost:
    kernels = [t for t in tensors if len(t.shape) > 1]
    biases = [t for t in tensors if len(t.shape) == 1]
    weights = sum(math.prod(t.shape) for t in kernels)
    return LayerCost(
        name=name,
        multiply_adds=weights * steps,
        weight_bytes=weights + BIAS_BYTES * sum(math.prod(t.shape) for t in biases),
    )
