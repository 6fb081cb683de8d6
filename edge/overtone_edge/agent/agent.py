"""The agent: owner of everything that runs on the device. Read this file first.

One thread listens; the agent's own thread does everything else. Messages of the broker, requests on the control socket
and results of child processes go through one mailbox, and the thread handles them one by one.

    Listening: source -> Listener(Hearing) -> Outputs              agent/listening.py, hearing/{listener,hearing}.py
    ActiveModel: load, install, confirm, roll back                 install/active_model.py
        installer process -> Slots -> Model                        install/{installer,loading}.py, state/slots.py
    TrainingSchedule -> trainer process -> PersonalStore, update   learning/{schedule,trainer}.py
    Participant, with [mqtt] only                                  fleet/participant.py
        Release, Chunk -> ReleaseFetcher -> ActiveModel            fleet/releases.py
        RoundCall -> RoundClient -> trainer -> Outbox -> Offer     fleet/rounds.py, state/outbox.py
    label, personalise, install, status, erase -> Requests         agent/{control,requests}.py
"""

import contextlib
import logging
import queue
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from overtone_common.link import Delivery
from overtone_edge import __version__
from overtone_edge.agent.control import ControlServer
from overtone_edge.agent.listening import Listening
from overtone_edge.agent.requests import Requests
from overtone_edge.agent.status import stored_status
from overtone_edge.core.config import Config
from overtone_edge.core.errors import AgentError, ControlError, StorageError
from overtone_edge.core.jobs import Jobs
from overtone_edge.fleet.participant import Participant
from overtone_edge.fleet.rounds import Backoff
from overtone_edge.fleet.uplink import LinkFactory
from overtone_edge.hearing.example_forms import example_form_for
from overtone_edge.hearing.listener import trim_memory
from overtone_edge.hearing.outputs import EventPublisher
from overtone_edge.hearing.recogniser import UtteranceRecogniser
from overtone_edge.hearing.runtime import runtime_name
from overtone_edge.install.active_model import ActiveModel, InstallOutcome, OnInstalled
from overtone_edge.install.loading import Model
from overtone_edge.install.stored_model import fitting_head, stored_head
from overtone_edge.learning.labelling import checked_label, label_speech
from overtone_edge.learning.schedule import OnPersonal, TrainingSchedule
from overtone_edge.state.home import Home
from overtone_models.errors import ModelError
from overtone_models.reference import Reference
from overtone_protocol import ProtocolError

_log = logging.getLogger(__name__)

TICK_S = 0.5
SAVE_REFERENCE_S = 60.0
"""Seconds between two writings of the reference, at least: a memory card is worn by every one."""


class Agent:
    """`run()` works until `stop()` (from any thread), or until the source ends; returns the exit status."""

    def __init__(
        self, config: Config, *, link_factory: LinkFactory | None = None, backoff: Backoff | None = None
    ) -> None:
        self.config = config
        self.home = Home(config)
        self._runtime = runtime_name()
        self._mailbox: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._jobs = Jobs(self.home.jobs, deliver=self.post)
        self.active = ActiveModel(self.home, self._jobs, use=self._use)
        self.training = TrainingSchedule(self.home, self._jobs, self.active, use_head=self._use_personal_head)
        self.participant: Participant | None = None
        if config.mqtt is not None or link_factory is not None:
            self.participant = Participant(
                config, self.home, self.active, self.training, link_factory=link_factory, backoff=backoff
            )
        self._requests = Requests(self)
        self._control = ControlServer(
            self.home.socket, lambda request, reply: self.post(lambda: self._requests.handle(request, reply))
        )
        publisher = None if self.participant is None else EventPublisher(self.participant.uplink.publish_event)
        self._listening = Listening(config, publisher=publisher, on_end=self._source_ended)
        self._failing: dict[str, str] = {}
        self._reference_saved_s = time.monotonic()
        self._utterances_saved = -1.0
        self._erased: Reference | None = None
        self._stopping = False
        self._status = 0

    # Lifecycle

    def run(self) -> int:
        """Work until stopped; return 0, or 1 where listening failed."""
        with self.home.locked():
            try:
                self._open()
                self._work()
                self._guarded(self._confirm_at_end)
            finally:
                self._close()
        return self._status

    def stop(self, status: int = 0) -> None:
        """End `run`, from any thread."""

        def end() -> None:
            self._stopping, self._status = True, max(self._status, status)

        self.post(end)

    def post(self, action: Callable[[], None]) -> None:
        """Queue `action` for the agent's own thread."""
        self._mailbox.put(action)

    def _open(self) -> None:
        failures = self.active.load()
        participant = self.participant
        if participant is None and self.active.model.bundle is None:
            reason = f" ({self.active.model.pretrained_error})" if self.active.model.pretrained_error else ""
            raise StorageError(
                f"no bundle is installed in {self.home.folder}{reason}; "
                "run: overtone-agent install BUNDLE --config FILE"
            )
        self._control.start()
        if participant is not None:
            participant.rolled_back(failures)
            participant.start(
                lambda delivery: self.post(lambda: self._delivered(participant, delivery)),
                lambda up: self.post(participant.connected) if up else None,
            )
        self._guarded(self.training.next)
        trim_memory()

    def _work(self) -> None:
        next_tick_s = time.monotonic()
        while not self._stopping:
            if time.monotonic() >= next_tick_s:
                next_tick_s = time.monotonic() + TICK_S
                self._tick()
            with contextlib.suppress(queue.Empty):
                self._guarded(self._mailbox.get(timeout=max(0.0, next_tick_s - time.monotonic())))

    def _guarded(self, action: Callable[[], None]) -> None:
        """Call `action`; an error of one message, one request or the disk is logged and does not end the agent."""
        try:
            action()
        except (AgentError, ModelError, ProtocolError) as error:
            _log.error("%s", error)

    def _repeatedly(self, what: str, action: Callable[[], None]) -> None:
        """Call an action of every tick; a lasting error is logged once, and does not prevent the other actions."""
        try:
            action()
        except (AgentError, ModelError, ProtocolError) as error:
            if self._failing.get(what) != str(error):
                _log.error("%s", error)
            self._failing[what] = str(error)
        else:
            self._failing.pop(what, None)

    def _tick(self) -> None:
        self._repeatedly("trial", self.active.confirm_when_due)
        if time.monotonic() >= self._reference_saved_s + SAVE_REFERENCE_S:
            self._repeatedly("reference", self._save_reference)
        if self.participant is not None:
            self._repeatedly("fleet", self.participant.tick)

    def _confirm_at_end(self) -> None:
        if self._listening.open:
            self._listening.close()
            if self._status == 0:
                self.active.confirm()

    def _save_reference(self) -> None:
        """Write the reference of the model in use, where it has changed."""
        self._reference_saved_s = time.monotonic()
        bundle, recogniser = self.active.model.bundle, self.active.model.recogniser
        reference = None if recogniser is None else recogniser.reference
        if bundle is None or reference is None or reference is self._erased:
            return
        count, _ = reference.state
        if count and count != self._utterances_saved:
            self.home.reference.save(bundle, reference)
            self._utterances_saved = count

    def _close(self) -> None:
        self._listening.close()
        self._guarded(self._save_reference)
        self._control.close()
        self.training.stop()
        self._jobs.close()
        if self.participant is not None:
            self.participant.close()
        self._listening.close_outputs()

    # Listening

    def _use(self, model: Model) -> None:
        """Use a model from now on; listening changes to it between two blocks."""
        if model.bundle is not None and model.recogniser is not None:
            self._listening.use(model.bundle, model.recogniser)
        if self.participant is not None:
            self.participant.model_changed(model)
        trim_memory()
        if model.stale_head and self.config.learning.personal:
            self._guarded(self.training.request_personal)

    def _source_ended(self, problem: str | None) -> None:
        if problem is not None:
            _log.error("listening ended: %s", problem)
        if self.config.source.at_end == "stop":
            self.stop(0 if problem is None else 1)

    def _use_personal_head(self) -> None:
        """Listen with the head on the disk from now on, or with the bundle's own where there is none."""
        bundle, recogniser = self.active.model.bundle, self.active.model.recogniser
        if bundle is None or recogniser is None:
            return
        self._listening.use_head(recogniser, fitting_head(stored_head(self.home), bundle))

    def _delivered(self, participant: Participant, delivery: Delivery) -> None:
        """Handle a message, then acknowledge it; any effect is on the disk by then."""
        try:
            if delivery.topic == participant.uplink.topics.label(self.config.device.id):
                self._requests.label_message(delivery.payload)
            else:
                participant.received(delivery.topic, delivery.payload)
        finally:
            delivery.acknowledge()

    # Requests of the user: the port of `Requests`

    def label_last(self, label: str, last_s: float) -> tuple[str, int]:
        """Label the last seconds of speech; return the label as it is stored, and the number of utterances."""
        bundle = self.active.model.bundle
        if bundle is None:
            raise ControlError("no bundle is installed")
        label = checked_label(label, bundle.manifest.labels)
        form = example_form_for(bundle.manifest)
        count = label_speech(self.home.store, self._listening.recent.last(last_s), label, form)
        self.examples_changed()
        return label, count

    def personalise(self, on_done: OnPersonal) -> None:
        """Train a personal head."""
        self.training.request_personal(on_done)

    def install_signed(self, path: Path, on_done: OnInstalled) -> None:
        """Install a signed file."""
        self.active.install_signed(path, self._announcing(on_done))

    def install_pretrained(self, name: str, on_done: OnInstalled) -> None:
        """Install a pretrained model of this software."""
        self.active.install_pretrained(name, self._announcing(on_done))

    def _announcing(self, on_done: OnInstalled) -> OnInstalled:
        def finish(outcome: InstallOutcome) -> None:
            on_done(outcome)
            self._announce()

        return finish

    def _announce(self) -> None:
        if self.participant is not None:
            self.participant.announce()

    def examples_changed(self) -> None:
        """Announce the new example counts to the fleet."""
        if self.participant is not None:
            self.participant.examples_changed()

    def status(self) -> dict[str, Any]:
        """Return the state of the running agent (JSON values)."""
        recogniser = self.active.model.recogniser
        return {
            **stored_status(self.home),
            "running": True,
            "software": __version__,
            "runtime": self._runtime,
            "connected": self.participant is not None and self.participant.uplink.connected,
            "personal_in_use": recogniser is not None and recogniser.personal,
            "reference": _reference_status(recogniser),
            "counters": {"trainings": self.training.runs, **self._listening.counters()},
        }

    def erase_reference(self) -> None:
        """Begin the reference of this room and voice anew."""
        recogniser = self.active.model.recogniser
        # The listening thread drops it between two blocks; until then it must not come back to the disk.
        self._erased = None if recogniser is None else recogniser.reference
        self._listening.forget_reference()
        self.home.reference.erase()

    def erase(self) -> None:
        """Remove everything that was learned from this person, on the disk and in memory."""
        self.erase_reference()
        self.training.stop()
        self.active.forget_quality()
        self._listening.erase(self.home.erase)
        self._use_personal_head()
        self._announce()


def _reference_status(recogniser: UtteranceRecogniser | None) -> dict[str, Any] | None:
    """Return how many utterances the reference holds; None where the model has no reference."""
    if recogniser is None or recogniser.reference is None:
        return None
    count, _ = recogniser.reference.state
    return {"utterances": round(count), "norm": round(float(np.linalg.norm(recogniser.reference.shift)), 4)}
