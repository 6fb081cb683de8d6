"""New bundles on this device: installed by a child process, switched to, reported, rolled back."""

import logging
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from overtone_edge.errors import InstallError
from overtone_edge.home import Home
from overtone_edge.jobs import JobResult, Jobs
from overtone_edge.loading import Failure, Model, load_model
from overtone_edge.slots import Slot
from overtone_edge.updates import Updates
from overtone_protocol import Health, Message

_log = logging.getLogger(__name__)

INSTALL = "install"
INSTALL_LIMIT_S = 600.0


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
    ) -> None:
        self._home = home
        self._jobs = jobs
        self._updates = updates
        self._use = use
        self._send = send
        self._on_done: Callable[[str], None] = lambda _error: None

    def start(self) -> None:
        """Use what is installed; what fails at the start is rolled back and reported."""
        model = load_model(self._home, starting=True)
        self._use(model)
        self._send(self._rolled_back(failure) for failure in model.failures)

    def install(self, signed: Path, on_done: Callable[[str], None]) -> None:
        """Install a signed file: `on_done("")` when it is in use, or with the reason why not."""
        try:
            self._install(self._home.install_request(signed), on_done)
        except InstallError as error:
            on_done(str(error))

    def install_pretrained(self, name: str, on_done: Callable[[str], None]) -> None:
        """Install a model that came with the software; only who may use the control socket asks for that."""
        self._install(self._home.pretrained_request(name), on_done)

    def _install(self, request: dict[str, Any], on_done: Callable[[str], None]) -> None:
        if self._jobs.running(INSTALL):
            on_done("another bundle is being installed")
            return
        self._on_done = on_done
        self._jobs.start(INSTALL, "overtone_edge.installer", request, limit_s=INSTALL_LIMIT_S)

    def install_fetched(self) -> None:
        """Begin to install a release that was fetched completely."""
        if self._updates.ready is None or self._jobs.running(INSTALL):
            return
        release, path = self._updates.ready
        self.install(path, lambda error: self._send([self._updates.settled(release, error=error)]))

    def done(self, result: JobResult) -> None:
        """Switch to what the installer staged, or say why it refused."""
        error = result.error if result.answer is None else self._switch(Slot(**result.answer))
        if error:
            _log.error("bundle refused: %s", error)
        self._on_done(error)

    def _switch(self, slot: Slot) -> str:
        """Use a staged slot; return why it could not be, and then the previous one is in use."""
        self._home.slots.allow(slot.signed)
        self._home.slots.activate(slot)
        model = load_model(self._home, starting=False)
        self._use(model)
        if model.failures:
            return model.failures[0].reason
        _log.info("bundle version %d is in use", slot.version)
        return ""

    def _rolled_back(self, failure: Failure) -> Health:
        digest = bytes.fromhex(failure.slot.signed)
        return self._updates.health(digest, failure.slot.version, "rolled-back", failure.reason)
