"""Window networks by name: the Keras models that conversion can build again from a stored description.

A network is added by a row in `BUILDERS`; those of the published systems come from their own package.
"""

from collections.abc import Callable
from typing import Any

from overtone_models.networks import papers, whisper_encoder

BUILDERS: dict[str, Callable[..., Any]] = {whisper_encoder.NAME: whisper_encoder.build}
"""Functions that return a Keras model; its last layer is a Dense layer called "head" that gives logits."""

USUAL_PRECISIONS = ("int8", "float32", "int8 weights")
PRECISIONS: dict[str, tuple[str, ...]] = {whisper_encoder.NAME: ("int8 weights", "float32")}
"""Arithmetic that conversion tries for a network, in this order, where it is not `USUAL_PRECISIONS`.

In the Whisper encoder GELU, layer norms and attention lose too much in int8 and run slower than in float32.
"""


def build(name: str, **options: Any) -> Any:
    """Return the Keras model `name` with its options (JSON values); raise KeyError for an unknown name."""
    if name in BUILDERS:
        return BUILDERS[name](**options)
    return papers.build(name, **options)


def precisions(name: str) -> tuple[str, ...]:
    """Return the arithmetic that conversion tries for the network `name`, in this order."""
    return PRECISIONS.get(name, USUAL_PRECISIONS)
