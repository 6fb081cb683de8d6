"""The installing process: `python -m overtone_edge.install.installer FOLDER`: verify, self-test, stage.

What comes as a path must be signed; a pretrained model is asked for by its name and read from this very software.

In a process of its own, so that a model that crashes the runtime, or the libraries that verify
signatures, cost the listening agent neither its life nor its memory.
"""

import sys
from pathlib import Path
from typing import Any

from overtone_edge.core.child import run_child
from overtone_edge.core.errors import InferenceError, InstallError, TrustError, UndecidedError
from overtone_edge.core.files import read_limited
from overtone_edge.hearing.runtime import TrainingGraph
from overtone_edge.hearing.streaming import golden_difference
from overtone_edge.install.trust import MAX_SIGNED_BYTES, TrustStore
from overtone_edge.state.slots import Slots
from overtone_models.bundle import MAX_BYTES, Bundle, read_bundle
from overtone_models.errors import ModelError
from overtone_models.pretrained import find_pretrained

GOLDEN_TOLERANCE = 0.05
"""Largest difference of a probability on the golden clip: runtimes round int8 differently."""


def work(_folder: Path, request: dict[str, Any]) -> dict[str, Any]:
    """Return the slot that the bundle was staged in."""
    if "pretrained" in request:
        signed = payload = read_limited(find_pretrained(request["pretrained"]).bundle, MAX_BYTES)
    else:
        signed = read_limited(Path(request["signed"]), MAX_SIGNED_BYTES)
        root = read_limited(Path(request["root"]), 1 << 20)
        payload = TrustStore(Path(request["trust"]), root).verify(signed)
    bundle = read_bundle(payload)
    self_test(bundle)
    slot = Slots(Path(request["slots"])).stage(signed, payload, bundle.manifest.version)
    return {"name": slot.name, "signed": slot.signed, "payload": slot.payload, "version": slot.version}


def self_test(bundle: Bundle) -> None:
    """Raise InstallError unless both models load here and the golden clip gives the bundle's answers."""
    difference = golden_difference(bundle)
    if not difference <= GOLDEN_TOLERANCE:
        raise InstallError(
            f"self-test failed: the golden clip's probabilities differ by {difference:.3f}, limit is {GOLDEN_TOLERANCE}"
        )
    graph = TrainingGraph(bundle.training_model)
    layout = bundle.manifest.layout
    for scope in bundle.manifest.network.scopes:
        part = layout.scope_slice(scope)
        if graph.size(scope) != part.stop - part.start:
            raise InstallError(
                f"self-test failed: the training model's scope {scope} has {graph.size(scope)} weights, "
                f"the layout {part.stop - part.start}"
            )


def refuses(error: Exception) -> bool:
    """Return whether the bundle is to blame for an error of `work`, and not this device's disk, memory or clock."""
    blames = isinstance(error, TrustError | InstallError | InferenceError | ModelError)
    return blames and not isinstance(error, UndecidedError)


if __name__ == "__main__":
    sys.exit(run_child(work, refuses=refuses))
