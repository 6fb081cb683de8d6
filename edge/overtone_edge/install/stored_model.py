"""Bundle in use and personal head, as the state folder has them: the installed bundle, else the pretrained one."""

import contextlib
import logging
from pathlib import Path

from overtone_edge.core.config import NO_PRETRAINED
from overtone_edge.core.errors import InstallError, StorageError
from overtone_edge.core.files import read_limited
from overtone_edge.state.home import Home
from overtone_edge.state.personal_head import PersonalHead
from overtone_models.bundle import MAX_BYTES, Bundle, read_bundle
from overtone_models.errors import PretrainedError
from overtone_models.front_end import F32
from overtone_models.pretrained import PretrainedModel, find_pretrained

_log = logging.getLogger(__name__)


def stored_bundle(home: Home) -> Bundle | None:
    """Return the installed bundle, else the pretrained one, None without both; raise for one that is damaged."""
    if home.slots.state.current is not None:
        return read_bundle(home.slots.payload())
    path = bundle_path(home)
    return None if path is None else read_bundle(read_limited(path, MAX_BYTES))


def required_bundle(home: Home) -> Bundle:
    """Return the bundle in use; raise InstallError where there is none."""
    bundle = stored_bundle(home)
    if bundle is None:
        raise InstallError("no bundle is installed")
    return bundle


def bundle_path(home: Home) -> Path | None:
    """Return the path of the file that `stored_bundle` reads, None where there is none."""
    if (slot := home.slots.state.current) is not None:
        return home.slots.payload_path(slot)
    with contextlib.suppress(PretrainedError):
        model = pretrained_model(home)
        return None if model is None else model.bundle
    return None


def pretrained_model(home: Home) -> PretrainedModel | None:
    """Return the pretrained model that is used while nothing is installed; raise PretrainedError where it is missing.

    None where [trust] wants none, and for a device that does not listen: it uses the fleet's model or none.
    """
    name = home.config.trust.pretrained
    if name == NO_PRETRAINED or home.config.source.kind == "none":
        return None
    return find_pretrained(name)


def stored_head(home: Home) -> PersonalHead | None:
    """Return the personal head on the disk; one that cannot be read is removed, with a line in the log."""
    try:
        return home.personal.load()
    except StorageError as error:
        _log.warning("the personal head is removed: %s", error)
        home.personal.erase()
        return None


def fitting_head(head: PersonalHead | None, bundle: Bundle) -> F32 | None:
    """Return the head's weights where they were trained from this bundle's base."""
    if head is None or head.base != bundle.base or head.weights.shape != bundle.head.shape:
        return None
    return head.weights
