"""The networks of the five papers by name, in Keras; every one ends in a Dense layer called "head" that gives logits.

The input of the head is the embedding, so that a device can train a personal head for each of them.
"""

import importlib
from typing import Any

MODULES = {
    "a": "federated",
    "b": "valence",
    "c": "tess",
    "d": "fusion",
    "e": "ensembles",
}
"""Names are `a-dense`, `c-lstm` ...: the module that holds `NETWORKS`, by the letter."""


def build(name: str, **options: Any) -> Any:
    """Return the Keras model `name` with its options (JSON values); raise KeyError for an unknown name."""
    module = importlib.import_module(f"{__name__}.{MODULES[name.partition('-')[0]]}")
    return module.NETWORKS[name](**options)
