"""Window networks by name: the Keras models that conversion can build again from a stored description.

A network is added by a row in `BUILDERS`; those of the published systems come from their own package.
"""

from collections.abc import Callable
from typing import Any

from overtone_models.networks import papers

BUILDERS: dict[str, Callable[..., Any]] = {}
"""Functions that return a Keras model; its last layer is a Dense layer called "head" that gives logits."""


def build(name: str, **options: Any) -> Any:
    """Return the Keras model `name` with its options (JSON values); raise KeyError for an unknown name."""
    if name in BUILDERS:
        return BUILDERS[name](**options)
    return papers.build(name, **options)
