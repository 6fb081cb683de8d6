"""Loads the installed bundle into a recogniser; one that does not work here is rolled back."""

import logging
from dataclasses import dataclass, field

from overtone_edge.core.config import gate_spec
from overtone_edge.core.errors import AgentError, ConfigError, StorageError
from overtone_edge.hearing.recogniser import UtteranceRecogniser
from overtone_edge.hearing.streaming import open_recogniser
from overtone_edge.install.installer import self_test
from overtone_edge.install.stored_model import fitting_head, pretrained_model, stored_bundle, stored_head
from overtone_edge.state.home import Home
from overtone_edge.state.slots import Slot
from overtone_models.bundle import Bundle
from overtone_models.errors import FrontEndError, ModelError
from overtone_models.reference import Reference

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Failure:
    """A bundle that was rolled back, and why."""

    slot: Slot
    reason: str


@dataclass
class Model:
    """The model in use; bundle and recogniser are None where there is none.

    `stale_head`: the personal head on the disk was trained from another base. `pretrained`: nothing is installed, and
    this is the pretrained model of the software; `pretrained_error` says why that one could not be used.
    """

    bundle: Bundle | None = None
    recogniser: UtteranceRecogniser | None = None
    stale_head: bool = False
    pretrained: bool = False
    pretrained_error: str = ""
    failures: list[Failure] = field(default_factory=list)


def load_model(home: Home, *, starting: bool) -> Model:
    """Return the newest installed bundle that works here, with its personal head; the pretrained one without any.

    With `starting` a bundle on trial uses up one of its starts and is tested once more. Raises ConfigError where the
    [gate] section does not fit a bundle that is no longer on trial: that one is not to blame.
    """
    model = Model()
    slots = home.slots
    within_starts = slots.starting() if starting else True
    while (slot := slots.state.current) is not None:
        try:
            if not within_starts:
                raise StorageError(
                    f"version {slot.version} ended the agent {slots.state.starts - 1} times at its start"
                )
            _load(home, model, test=starting and not slots.state.confirmed)
        except (AgentError, ModelError) as error:
            if isinstance(error, ConfigError) and slots.state.confirmed:
                raise
            within_starts = True
            model.failures.append(Failure(slot, str(error)))
            previous = slots.roll_back()
            _log.error("%s; returning to %s", error, f"version {previous.version}" if previous else "no bundle")
        else:
            break
    if model.bundle is None:
        _load_pretrained(home, model)
    return model


def _load_pretrained(home: Home, model: Model) -> None:
    try:
        pretrained = pretrained_model(home)
        if pretrained is None:
            return
        _load(home, model, test=False)
    except ConfigError:
        raise
    except (AgentError, ModelError) as error:
        model.pretrained_error = str(error)
        if home.config.mqtt is not None:  # the fleet may bring one; without a network the agent ends with this reason
            _log.warning("nothing listens until a bundle is installed: %s", error)
        return
    model.pretrained = model.bundle is not None
    if model.bundle is not None:
        manifest = model.bundle.manifest
        _log.info(
            "nothing is installed: the pretrained model %s is used (%s); its licence: %s",
            pretrained.name,
            ", ".join(manifest.labels),
            manifest.licence,
        )


def _load(home: Home, model: Model, *, test: bool) -> None:
    bundle = stored_bundle(home)
    if bundle is None:
        return
    if test:
        self_test(bundle)
    _check_gate(home, bundle)
    recogniser = open_recogniser(bundle)
    head = stored_head(home)
    model.stale_head = head is not None and head.base != bundle.base
    recogniser.set_head(fitting_head(head, bundle))
    if (reference := _stored_reference(home, bundle)) is not None:
        recogniser.use_reference(reference)
    model.bundle, model.recogniser = bundle, recogniser


def _stored_reference(home: Home, bundle: Bundle) -> Reference | None:
    """Return the reference on the disk; one that cannot be read is logged and begun anew."""
    try:
        return home.reference.load(bundle)
    except StorageError as error:
        _log.warning("the reference of this room is begun anew: %s", error)
        return None


def _check_gate(home: Home, bundle: Bundle) -> None:
    try:
        gate_spec(bundle.manifest.gate, home.config.gate)
    except FrontEndError as error:
        raise ConfigError(f"[gate] does not fit version {bundle.manifest.version}: {error}") from error
