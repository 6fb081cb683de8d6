"""The installing process: `python -m overtone_edge.install.installer FOLDER`: verify, self-test, evaluate, stage.

A file must be signed; a pretrained model is requested by name and read from the installed software.

It is a process of its own, so that a model that crashes the runtime, the libraries that verify signatures and the
evaluation cannot crash the listening agent, and take neither its memory nor its time.
"""

import logging
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from overtone_edge.core.errors import InferenceError, InstallError, StorageError, TrustError, UndecidedError
from overtone_edge.core.files import read_limited
from overtone_edge.core.jobs import run_child
from overtone_edge.hearing.runtime import TrainingGraph
from overtone_edge.hearing.streaming import golden_difference
from overtone_edge.install.quality import held_out_quality
from overtone_edge.install.trust import MAX_SIGNED_BYTES, TrustStore
from overtone_edge.state.examples import Store
from overtone_edge.state.home import Home
from overtone_edge.state.reference import ReferenceStore
from overtone_edge.state.slots import HeldOutQuality, Slot, Slots
from overtone_models.bundle import MAX_BYTES, Bundle, read_bundle
from overtone_models.errors import ModelError
from overtone_models.pretrained import find_pretrained

_log = logging.getLogger(__name__)

GOLDEN_TOLERANCE = 0.05
"""Largest difference of a probability on the golden clip: runtimes round int8 differently."""


def signed_request(home: Home, signed: Path) -> dict[str, Any]:
    """Return the request to install a signed file; raise InstallError where no root of trust is configured."""
    root = home.config.trust.root_file
    if root is None:
        raise InstallError(
            f"{signed} cannot be verified: the configuration has no [trust] root_file (`overtone keys` makes one)"
        )
    return {"signed": str(signed), "root": str(root), "trust": str(home.trust), **_folders(home)}


def pretrained_request(home: Home, name: str) -> dict[str, Any]:
    """Return the request to install a pretrained model: its name, never a path."""
    return {"pretrained": name, **_folders(home)}


def _folders(home: Home) -> dict[str, Any]:
    return {
        "slots": str(home.slots_folder),
        "store": str(home.store_folder),
        "reference": str(home.reference.folder),
    }


def work(_folder: Path, request: dict[str, Any]) -> dict[str, Any]:
    """Return the slot that the bundle was staged in, and its quality on the owner's held-out examples."""
    if "pretrained" in request:
        signed = payload = read_limited(find_pretrained(request["pretrained"]).bundle, MAX_BYTES)
    else:
        signed = read_limited(Path(request["signed"]), MAX_SIGNED_BYTES)
        root = read_limited(Path(request["root"]), 1 << 20)
        payload = TrustStore(Path(request["trust"]), root).verify(signed)
    bundle = read_bundle(payload)
    self_test(bundle)
    quality = _quality(bundle, Path(request["store"]), Path(request["reference"]))
    slot = Slots(Path(request["slots"])).stage(signed, payload, bundle.manifest.version)
    return {"slot": asdict(slot), "quality": None if quality is None else quality.to_json()}


def parse_answer(answer: dict[str, Any]) -> tuple[Slot, HeldOutQuality | None]:
    """Return the staged slot and the quality in an answer of `work`."""
    quality = answer["quality"]
    return Slot(**answer["slot"]), None if quality is None else HeldOutQuality.from_json(quality)


def _quality(bundle: Bundle, store: Path, reference: Path) -> HeldOutQuality | None:
    """Return the quality on held-out examples; None where there is none or the store cannot be read."""
    try:
        examples = Store(store, max_bytes=sys.maxsize, held_out_fraction=0.0)
        return held_out_quality(bundle, examples, ReferenceStore(reference).load(bundle))
    except StorageError as error:
        _log.warning("the held-out examples cannot be read: %s", error)
        return None


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
