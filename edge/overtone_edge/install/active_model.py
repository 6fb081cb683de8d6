"""The model in use: loaded at the start, switched to a new bundle, confirmed after its trial, rolled back."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from overtone_edge.core.errors import AgentError, InstallError, StorageError
from overtone_edge.core.files import remove
from overtone_edge.core.jobs import INSTALL, JobResult, Jobs
from overtone_edge.install.installer import parse_answer, pretrained_request, signed_request
from overtone_edge.install.loading import Failure, Model, load_model
from overtone_edge.state.home import Home
from overtone_edge.state.slots import HeldOutQuality, Slot
from overtone_models.errors import ModelError

_log = logging.getLogger(__name__)

INSTALL_LIMIT_S = 600.0
CONFIRM_AFTER_S = 30.0
"""Time in use after which a bundle's trial ends."""


@dataclass(frozen=True, kw_only=True)
class InstallOutcome:
    """How an installation ended: `error` is empty where the bundle is in use.

    `final` is False where the device was the cause (a full disk, a killed process): another attempt may succeed.
    `quality` is that of the new bundle on the owner's held-out examples, None where none of them fits.
    """

    error: str = ""
    final: bool = True
    quality: HeldOutQuality | None = None


OnInstalled = Callable[[InstallOutcome], None]


def activate(home: Home, slot: Slot, quality: HeldOutQuality | None) -> None:
    """Make a staged slot the current one, on trial; a refusal of the same file in the past no longer counts."""
    home.slots.allow(slot.signed)
    home.slots.save_quality(slot, quality)
    home.slots.activate(slot)


class ActiveModel:
    """Owns the model in use; `use` is called with each model that is to be used from then on."""

    def __init__(
        self,
        home: Home,
        jobs: Jobs,
        *,
        use: Callable[[Model], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.model = Model()
        self._home = home
        self._jobs = jobs
        self._use = use
        self._clock = clock
        self._in_use_since_s = 0.0
        self._installing = False
        self._quality_wanted = True

    @property
    def installing(self) -> bool:
        """Whether an installation is in progress."""
        return self._installing

    def load(self) -> list[Failure]:
        """Use the installed bundle; return those that failed at the start and were rolled back."""
        remove(self._home.jobs / INSTALL)  # of an agent that was killed: its answer may hold figures of the owner
        model = load_model(self._home, starting=True)
        self._switch_model(model)
        return model.failures

    def install_signed(self, signed: Path, on_done: OnInstalled, *, digest: str = "") -> None:
        """Install a signed file; one whose `digest` (SHA-256) is installed already is only loaded."""
        current = self._home.slots.state.current
        if current is not None and current.signed == digest and not self._installing:
            # The switch to it was interrupted. Another installation would overwrite the previous bundle.
            on_done(self._switch(current))
        else:
            self._install(lambda: signed_request(self._home, signed), on_done)

    def install_pretrained(self, name: str, on_done: OnInstalled) -> None:
        """Install a pretrained model of this software; such requests come over the control socket alone."""
        self._install(lambda: pretrained_request(self._home, name), on_done)

    def confirm_when_due(self) -> None:
        """End the trial of a bundle that has been in use for `CONFIRM_AFTER_S`."""
        if self.model.bundle is not None and self._clock() - self._in_use_since_s > CONFIRM_AFTER_S:
            self.confirm()

    def confirm(self) -> None:
        """End the trial of the bundle in use; one that was activated and could not be used stays on trial."""
        current, bundle = self._home.slots.state.current, self.model.bundle
        if current is not None and bundle is not None and current.payload == bundle.digest:
            self._home.slots.confirm()

    def forget_quality(self) -> None:
        """Discard the quality figures of the installation in progress: their examples are being erased."""
        self._quality_wanted = False

    def _install(self, request: Callable[[], dict[str, Any]], on_done: OnInstalled) -> None:
        if self._installing:
            on_done(InstallOutcome(error="another bundle is being installed", final=False))
            return
        try:
            self._jobs.start(
                INSTALL,
                "overtone_edge.install.installer",
                request(),
                limit_s=INSTALL_LIMIT_S,
                on_done=lambda result: self._installed(result, on_done),
            )
        except (InstallError, StorageError) as error:
            on_done(InstallOutcome(error=str(error), final=isinstance(error, InstallError)))
        else:
            self._installing, self._quality_wanted = True, True

    def _installed(self, result: JobResult, on_done: OnInstalled) -> None:
        """Switch to the slot that the installer staged, or report why it staged none."""
        self._installing = False
        if result.answer is None:
            outcome = InstallOutcome(error=result.error, final=result.refused)
        else:
            slot, quality = parse_answer(result.answer)
            outcome = self._switch(slot, quality if self._quality_wanted else None)
        if outcome.error and outcome.final:
            _log.error("bundle refused: %s", outcome.error)
        try:
            remove(result.folder)
        except StorageError as error:
            _log.warning("%s", error)
        on_done(outcome)

    def _switch(self, slot: Slot, quality: HeldOutQuality | None = None) -> InstallOutcome:
        """Use a staged slot; where that fails, the outcome says why and the previous bundle is in use."""
        slots = self._home.slots
        try:
            if slots.state.current != slot:
                activate(self._home, slot, quality)
            model = load_model(self._home, starting=False)
            self._switch_model(model)
        except (AgentError, ModelError) as error:
            return InstallOutcome(error=str(error), final=not isinstance(error, StorageError))
        if model.failures:
            return InstallOutcome(error=model.failures[0].reason)
        _log.info("bundle version %d is in use", slot.version)
        return InstallOutcome(quality=slots.quality(slot))

    def _switch_model(self, model: Model) -> None:
        self._use(model)
        self.model = model
        self._in_use_since_s = self._clock()
