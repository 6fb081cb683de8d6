"""Requests of the user to the running agent: over the control socket, and labels over MQTT."""

import json
import logging
from pathlib import Path
from typing import Any, Protocol

from overtone_edge.agent.control import Reply
from overtone_edge.core.errors import AgentError, ControlError
from overtone_edge.install.active_model import InstallOutcome, OnInstalled
from overtone_edge.learning.labelling import MAX_LAST_S
from overtone_edge.learning.schedule import OnPersonal
from overtone_models.errors import ModelError

_log = logging.getLogger(__name__)

MAX_LABEL_BYTES = 4_096
LABEL_KEYS = ("label", "last_s")


class RequestPort(Protocol):
    """What requests need from the agent."""

    def label_last(self, label: str, last_s: float) -> tuple[str, int]:
        """Label the last seconds of speech; return the label as it is stored, and the number of utterances."""
        ...

    def personalise(self, on_done: OnPersonal) -> None:
        """Train a personal head."""
        ...

    def install_signed(self, path: Path, on_done: OnInstalled) -> None:
        """Install a signed file."""
        ...

    def install_pretrained(self, name: str, on_done: OnInstalled) -> None:
        """Install a pretrained model of this software."""
        ...

    def examples_changed(self) -> None:
        """Update the counts after another process has added examples."""
        ...

    def status(self) -> dict[str, Any]:
        """Return the state of the agent (JSON values)."""
        ...

    def erase(self) -> None:
        """Remove everything that was learned from this person."""
        ...

    def erase_reference(self) -> None:
        """Begin the reference of this room and voice anew."""
        ...


class Requests:
    """Requests are `{"command": ...}`; answers `{"ok": true, ...}` or `{"ok": false, "error": line}`."""

    def __init__(self, port: RequestPort) -> None:
        self._port = port
        self._commands = {
            "label": self._label,
            "personalise": self._personalise,
            "install": self._install,
            "status": self._status,
            "refresh": self._refresh,
            "erase": self._erase,
        }

    def handle(self, request: dict[str, Any], reply: Reply) -> None:
        """Execute a request; the reply may come later (training, installing)."""
        command = self._commands.get(str(request.get("command")))
        if command is None:
            reply(_refused(f"unknown command {request.get('command')!r}; there are {', '.join(self._commands)}"))
            return
        try:
            command(request, reply)
        except (AgentError, ModelError) as error:
            reply(_refused(str(error)))

    def label_message(self, payload: bytes) -> None:
        """Label the last seconds by a message from the device's label topic."""
        if len(payload) > MAX_LABEL_BYTES:
            raise ControlError(f"label message is {len(payload)} bytes, limit is {MAX_LABEL_BYTES}")
        try:
            request = json.loads(payload)
        except (ValueError, RecursionError) as error:
            raise ControlError(f"label message is not JSON: {error}") from error
        if not isinstance(request, dict):
            raise ControlError('a label message is an object: {"label": "happy", "last_s": 5}')
        if unknown := sorted(set(request) - set(LABEL_KEYS)):
            raise ControlError(f"label message has an unknown key {unknown[0]!r}; the keys are {', '.join(LABEL_KEYS)}")
        self._label(request, lambda answer: _log.info("labelled over MQTT: %s", answer))

    def _label(self, request: dict[str, Any], reply: Reply) -> None:
        label, last_s = request.get("label"), request.get("last_s")
        if not isinstance(label, str):
            raise ControlError(f"label must be a text, got {label!r}")
        if isinstance(last_s, bool) or not isinstance(last_s, int | float) or not 0 < last_s <= MAX_LAST_S:
            raise ControlError(f"last_s is {last_s!r}, it must be a number of seconds, at most {MAX_LAST_S:g}")
        label, count = self._port.label_last(label, float(last_s))
        reply({"ok": True, "label": label, "stored": count})

    def _personalise(self, _request: dict[str, Any], reply: Reply) -> None:
        def finish(answer: dict[str, Any] | None, error: str) -> None:
            reply(_refused(error) if answer is None else {"ok": True, **answer})

        self._port.personalise(finish)

    def _install(self, request: dict[str, Any], reply: Reply) -> None:
        def finish(outcome: InstallOutcome) -> None:
            reply(_refused(outcome.error) if outcome.error else {"ok": True})

        if "pretrained" in request:
            self._port.install_pretrained(str(request["pretrained"]), finish)
        else:
            self._port.install_signed(Path(str(request.get("path"))), finish)

    def _status(self, _request: dict[str, Any], reply: Reply) -> None:
        reply({"ok": True, "status": self._port.status()})

    def _refresh(self, _request: dict[str, Any], reply: Reply) -> None:
        self._port.examples_changed()
        reply({"ok": True})

    def _erase(self, request: dict[str, Any], reply: Reply) -> None:
        if request.get("reference_only") is True:
            self._port.erase_reference()
        else:
            self._port.erase()
        reply({"ok": True})


def _refused(error: str) -> dict[str, Any]:
    return {"ok": False, "error": error}
