"""The ranges that Hyperband searches, and what the paper's search found in them."""

from collections.abc import Mapping
from typing import Any

Value = str | int | float
NAMES = ("kernel", "blocks", "first", "following", "units", "rate", "optimizer", "dropout")
BEST: Mapping[str, tuple[Value | None, ...]] = {
    "e-cnn2d-lstm": (5, 3, 128, 256, 48, 1e-4, "Adam", None),
    "e-cnn1d-lstm": (3, 2, 64, 128, 48, 2e-4, "Adam", 0.5),
    "e-lstm-cnn-1d": (3, 1, None, None, 52, 2e-4, "Adam", 0.2),
    "e-lstm-cnn-2d": (3, 2, 128, 256, 64, 2e-4, "Adam", 0.0),
    "e-cnn-transformer": (None, 4, 32, None, None, None, None, None),
}
"""The paper's tables 3, 5, 8 and 10 in the order of `NAMES`; None where it does not say."""

THREE_BLOCKS = ("e-cnn1d-lstm", "e-lstm-cnn-1d")
"""Forty means have no room for four blocks with a kernel of 5."""


def ranges(network: str) -> dict[str, tuple[Value, ...]]:
    """Return each hyperparameter's values: the paper's for CNN2D-LSTM, which the others follow where it is silent.

    The transformer doubles its filters from block to block, so that it has no `following`.
    """
    transformer = network == "e-cnn-transformer"
    rates: tuple[Value, ...] = (1e-3, 1e-4, 1e-5) if network == "e-cnn2d-lstm" else (1e-3, 2e-4, 1e-4, 1e-5)
    found: dict[str, tuple[Value, ...]] = {
        "kernel": (3, 5),
        "blocks": (1, 2, 3) if network in THREE_BLOCKS else (1, 2, 3, 4),
        "first": (16, 32, 64) if transformer else (32, 64, 128),
        "rate": rates,
        "optimizer": ("Adam", "RMSprop"),
    }
    if transformer:
        return {**found, "blocks": (3, 4), "dropout": (0.0, 0.1, 0.3)}
    found |= {"following": (64, 128, 256), "units": tuple(range(32, 65, 4))}
    return found if network == "e-cnn2d-lstm" else {**found, "dropout": (0.0, 0.2, 0.5)}


def options_of(network: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a network's build options for hyperparameters."""
    first, blocks = int(values["first"]), int(values["blocks"])
    if network == "e-cnn-transformer":
        filters = [first * 2**index for index in range(blocks)]
    else:
        filters = [first] + [int(values["following"])] * (blocks - 1)
    kept = {name: values[name] for name in ("kernel", "units", "dropout") if name in values}
    return {**kept, "filters": filters}
