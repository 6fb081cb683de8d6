"""State of a device as JSON values: bundle, examples, outbox, personal head, from its state folder."""

from typing import Any

from overtone_edge.core.errors import AgentError
from overtone_edge.install.stored_model import stored_bundle
from overtone_edge.state.home import Home
from overtone_edge.state.personal_head import PersonalStore
from overtone_edge.state.slots import Slots
from overtone_models.bundle import Bundle
from overtone_models.errors import ModelError


def stored_status(home: Home) -> dict[str, Any]:
    """Return the state on the disk; a bundle or head that cannot be read is its `error`."""
    previous = home.slots.state.previous
    training, held_out = home.store.counts()
    return {
        "device": home.config.device.id,
        "fleet": home.config.device.fleet,
        "bundle": bundle_status(home),
        "previous_version": None if previous is None else previous.version,
        "examples": training,
        "held_out": held_out,
        "by_label": home.store.counts_by_label(),
        "store_bytes": home.store.size_bytes(),
        "outbox": len(home.outbox.entries()),
        "personal": _personal_status(home.personal),
    }


def bundle_status(home: Home) -> dict[str, Any] | None:
    """Return the bundle in use, None where there is none."""
    slot = home.slots.state.current
    signed = slot.signed if slot is not None and slot.is_signed else None
    try:
        bundle = stored_bundle(home)
    except (AgentError, ModelError) as error:
        return {"version": slot.version if slot else None, "signed": signed, "error": str(error)}
    return None if bundle is None else {**_manifest_status(bundle), **_slot_status(home.slots, signed)}


def _manifest_status(bundle: Bundle) -> dict[str, Any]:
    manifest = bundle.manifest
    return {
        "name": manifest.name,
        "version": manifest.version,
        "digest": bundle.digest,
        "base": bundle.base,
        "layout": manifest.layout.digest,
        "network": manifest.network.title,
        "front_end": manifest.features_digest,
        "base_round": manifest.base_round,
        "labels": list(manifest.labels),
        "licence": manifest.licence,
    }


def _slot_status(slots: Slots, signed: str | None) -> dict[str, Any]:
    slot = slots.state.current
    quality = None if slot is None else slots.quality(slot)
    return {
        "installed": slot is not None,
        "signed": signed,
        "confirmed": slots.state.confirmed,
        "quality": None if quality is None else quality.to_json(),
    }


def _personal_status(store: PersonalStore) -> dict[str, Any] | None:
    try:
        head = store.load()
    except AgentError as error:
        return {"error": str(error)}
    return None if head is None else {"base": head.base, **head.quality}
