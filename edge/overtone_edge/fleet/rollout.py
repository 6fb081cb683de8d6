"""New bundles on this device: installed by a child process, switched to, reported, rolled back."""

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from overtone_edge.core.errors import AgentError, InstallError, StorageError
from overtone_edge.core.jobs import INSTALL, JobResult, Jobs
from overtone_edge.fleet.releases import Updates
from overtone_edge.install.loading import Failure, Model, load_model
from overtone_edge.state.home import Home
from overtone_edge.state.slots import Slot
from overtone_models.errors import ModelError
from overtone_protocol import Health, Message

_log = logging.getLogger(__name__)

INSTALL_LIMIT_S = 600.0


@dataclass(frozen=True)
class Verdict:
    """How an installation ended: `error` is empty where the bundle is in use.

    `final` is False where the device was the trouble (a full disk, a killed process): another attempt may succeed.
    """

    error: str = ""
    final: bool = True


class Rollout:
    """Switches bundles. `use` is called with the model to use from now on, `send` with reports."""

    def __init__(
        self,
        home: Home,
        jobs: Jobs,
        updates: Updates,
        *,
        use: Callable[[Model], None],
        send: Callable[[Iterable[Message]], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._home = home
        self._jobs = jobs
        self._updates = updates
        self._use = use
        self._send = send
        self._clock = clock
        self._on_end: Callable[[Verdict], None] | None = None

    def start(self) -> None:
        """Use what is installed; what fails at the start is rolled back and reported."""
        model = load_model(self._home, starting=True)
        self._use(model)
        self._send(self._rolled_back(failure) for failure in model.failures)

    def install(self, signed: Path, on_done: Callable[[str], None]) -> None:
        """Install a signed file: `on_done("")` when it is in use, or with the reason why not."""
        self._install(lambda: self._home.install_request(signed), lambda verdict: on_done(verdict.error))

    def install_pretrained(self, name: str, on_done: Callable[[str], None]) -> None:
        """Install a model that came with the software; only who may use the control socket asks for that."""
        self._install(lambda: self._home.pretrained_request(name), lambda verdict: on_done(verdict.error))

    def install_fetched(self) -> None:
        """Begin to install a release that was fetched completely."""
        due = self._updates.due(self._clock())
        if due is None or self._on_end is not None:
            return
        release, path = due

        def ended(verdict: Verdict) -> None:
            if verdict.final:
                self._send([self._updates.settled(release, error=verdict.error)])
            else:
                self._updates.postpone(release, verdict.error, self._clock())

        current = self._home.slots.state.current
        if current is not None and current.signed == release.bundle.hex():
            # The switch to it was cut short. Installing it again would write over the bundle before it.
            ended(self._switch(current))
        else:
            self._install(lambda: self._home.install_request(path), ended)

    def _install(self, request: Callable[[], dict[str, Any]], on_end: Callable[[Verdict], None]) -> None:
        if self._on_end is not None:
            on_end(Verdict("another bundle is being installed", final=False))
            return
        try:
            self._jobs.start(INSTALL, "overtone_edge.install.installer", request(), limit_s=INSTALL_LIMIT_S)
        except (InstallError, StorageError) as error:
            on_end(Verdict(str(error), final=isinstance(error, InstallError)))
        else:
            self._on_end = on_end

    def done(self, result: JobResult) -> None:
        """Switch to what the installer staged, or say why it did not."""
        on_end, self._on_end = self._on_end, None
        if result.answer is None:
            verdict = Verdict(result.error, final=result.refused)
        else:
            verdict = self._switch(Slot(**result.answer))
        if verdict.error and verdict.final:
            _log.error("bundle refused: %s", verdict.error)
        if on_end is not None:
            on_end(verdict)

    def _switch(self, slot: Slot) -> Verdict:
        """Use a staged slot; the verdict says why it could not be, and then the previous one is in use."""
        slots = self._home.slots
        try:
            if slots.state.current != slot:
                slots.allow(slot.signed)
                slots.activate(slot)
            model = load_model(self._home, starting=False)
            self._use(model)
        except (AgentError, ModelError) as error:
            return Verdict(str(error), final=not isinstance(error, StorageError))
        if model.failures:
            return Verdict(model.failures[0].reason)
        _log.info("bundle version %d is in use", slot.version)
        return Verdict()

    def _rolled_back(self, failure: Failure) -> Health:
        digest = bytes.fromhex(failure.slot.signed)
        return self._updates.health(digest, failure.slot.version, "rolled-back", failure.reason)
