"""Limits of a recogniser's size and work; an error names the layer that costs most."""

from dataclasses import asdict, dataclass
from typing import Any

from overtone_cloud.errors import ConfigError
from overtone_models.bundle import Bundle
from overtone_models.network_cost import LayerCost, costliest, layer_costs
from overtone_models.network_spec import EdgeTcnSpec

SECONDS = 3


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Largest int8 streaming file, and most multiply-adds for 3 s of speech."""

    max_bytes: int = 256 * 1024
    max_multiply_adds: int = 10_000_000

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if value < 1:
                raise ConfigError(f"{name} is {value}, it must be at least 1")


def check_network(network: EdgeTcnSpec, limits: Limits) -> None:
    """Raise ConfigError for a network over a limit, naming the layer that costs most.

    The int8 file is at least as large as the weights in it.
    """
    costs = layer_costs(network, network.frames_3_s)
    work = sum(cost.multiply_adds for cost in costs)
    if work > limits.max_multiply_adds:
        most = costliest(costs, "multiply_adds")
        raise ConfigError(
            f"network takes {work} multiply-adds for {SECONDS} s of speech, limit is {limits.max_multiply_adds}; "
            f"its layer {most.name} takes most, {most.multiply_adds}"
        )
    _check_bytes(sum(_body(cost) for cost in costs), "weights alone are", costs, limits)


def check_bundle(bundle: Bundle, limits: Limits) -> None:
    """Raise ConfigError where the int8 streaming file is too large, naming the layer with the most weights."""
    costs = layer_costs(bundle.manifest.edge, bundle.manifest.edge.frames_3_s)
    _check_bytes(len(bundle.streaming_model), "int8 streaming model is", costs, limits)


def costs_json(network: EdgeTcnSpec) -> list[dict[str, Any]]:
    """Return the table of layers for reports."""
    return [asdict(cost) for cost in layer_costs(network, network.frames_3_s)]


def _check_bytes(size: int, what: str, costs: tuple[LayerCost, ...], limits: Limits) -> None:
    if size > limits.max_bytes:
        most = costliest(tuple(cost for cost in costs if _body(cost)), "weight_bytes")
        raise ConfigError(
            f"{what} {size} bytes, limit is {limits.max_bytes}; "
            f"its layer {most.name} takes most, {most.weight_bytes} bytes"
        )


def _body(cost: LayerCost) -> int:
    """Return a layer's bytes in the streaming file: the head is not in it."""
    return 0 if cost.name == "head" else cost.weight_bytes
