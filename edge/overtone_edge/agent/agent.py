"""The agent: owner of everything that lives on the device. Read this file first.

One thread listens (`listener.py`); this one decides everything else: it takes what the broker, the
control socket and the child processes bring out of one mailbox, one after the other.

    source -> Listener(Hearing) -> Outputs                              hearing.py, outputs.py
    Participant (participant.py)
        Release, Chunk -> Updates -> Rollout -> installer process -> Slots    updates.py, rollout.py
        RoundCall -> Federation -> trainer process -> Outbox -> Offer         federation.py, trainer.py
    label, personalise, install, status, erase -> Requests              requests.py
"""

import contextlib
import logging
import queue
import time
from collections.abc import Callable, Iterable
from typing import Any

from overtone_common.link import Delivery
from overtone_edge import __version__
from overtone_edge.agent.control import ControlServer
from overtone_edge.agent.requests import Requests
from overtone_edge.core.config import Config
from overtone_edge.core.errors import AgentError, StorageError
from overtone_edge.core.jobs import INSTALL, ROUND, JobResult, Jobs
from overtone_edge.core.memory import give_back
from overtone_edge.fleet.participant import Participant
from overtone_edge.fleet.rounds import Patience
from overtone_edge.fleet.uplink import LinkFactory
from overtone_edge.hearing.example_forms import Kept, kept_for
from overtone_edge.hearing.hearing import Hearing
from overtone_edge.hearing.listener import Listener
from overtone_edge.hearing.outputs import JsonLines, Output, Outputs, Published, StandardOutput
from overtone_edge.hearing.recent_speech import RecentSpeech
from overtone_edge.hearing.recogniser import AnyRecogniser
from overtone_edge.hearing.sources import open_source
from overtone_edge.install.loading import Model, fitting_head, stored_head
from overtone_edge.learning.schedule import Training, keep_if_confirmed
from overtone_edge.learning.trainer import read_vector
from overtone_edge.state.home import Home
from overtone_models.bundle import Bundle
from overtone_models.errors import ModelError
from overtone_protocol import ProtocolError

_log = logging.getLogger(__name__)

TICK_S = 0.5
CONFIRM_AFTER_S = 30.0


class Agent:
    """`run()` works until `stop()` (from any thread), or until the source ends; returns the exit status."""

    def __init__(
        self, config: Config, *, link_factory: LinkFactory | None = None, patience: Patience | None = None
    ) -> None:
        self.config = config
        self.home = Home(config)
        self.model = Model()
        self.recent = self._make_recent(kept_for(None))
        self._mailbox: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._jobs = Jobs(self.home.jobs, lambda result: self.post(lambda: self._job_done(result)))
        self.training = Training(self.home, self._jobs)
        self.participant = Participant(
            config,
            self.home,
            self._jobs,
            self.training,
            use=self._use,
            link_factory=link_factory,
            patience=patience,
        )
        self._requests = Requests(self)
        self._control = ControlServer(
            self.home.socket, lambda request, reply: self.post(lambda: self._requests.handle(request, reply))
        )
        self._published = Published(self.participant.uplink.publish_event)
        self._outputs = Outputs(self._make_outputs())
        self._listener: Listener | None = None
        self._in_use_since_s = 0.0
        self._failing: dict[str, str] = {}
        self._stopping = False
        self._status = 0

    # Life

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
        """Let the agent's own thread do something."""
        self._mailbox.put(action)

    def _open(self) -> None:
        uplink = self.participant.uplink
        self.participant.rollout.start()
        if self.model.bundle is None and not uplink.configured:
            lost = f" ({self.model.lost})" if self.model.lost else ""
            raise StorageError(
                f"no bundle is installed in {self.home.folder}{lost}; run: overtone-agent install BUNDLE --config FILE"
            )
        self._control.start()
        self.participant.start(
            lambda delivery: self.post(lambda: self._delivered(delivery)),
            lambda up: self.post(self.participant.connected) if up else None,
        )
        self._guarded(self.training.next)
        give_back()

    def _work(self) -> None:
        next_tick_s = time.monotonic()
        while not self._stopping:
            if time.monotonic() >= next_tick_s:
                next_tick_s = time.monotonic() + TICK_S
                self._tick()
            with contextlib.suppress(queue.Empty):
                self._guarded(self._mailbox.get(timeout=max(0.0, next_tick_s - time.monotonic())))

    def _guarded(self, action: Callable[[], None]) -> None:
        """Do something; what goes wrong with one message, request or disk is one line, not the end."""
        try:
            action()
        except (AgentError, ModelError, ProtocolError) as error:
            _log.error("%s", error)

    def _repeatedly(self, what: str, action: Callable[[], None]) -> None:
        """Do what comes round with every tick: a failure that lasts is one line, and holds up nothing else."""
        try:
            action()
        except (AgentError, ModelError, ProtocolError) as error:
            if self._failing.get(what) != str(error):
                _log.error("%s", error)
            self._failing[what] = str(error)
        else:
            self._failing.pop(what, None)

    def _tick(self) -> None:
        if self.model.bundle is not None and time.monotonic() - self._in_use_since_s > CONFIRM_AFTER_S:
            self._repeatedly("trial", self._confirm)
        self._repeatedly("fleet", self.participant.tick)

    def _confirm(self) -> None:
        """End the trial of the bundle in use; one that was activated and could not be used stays on trial."""
        current, bundle = self.home.slots.state.current, self.model.bundle
        if current is not None and bundle is not None and current.payload == bundle.digest:
            self.home.slots.confirm()

    def _confirm_at_end(self) -> None:
        if self._listener is not None:
            self._listener.close()
            if self._status == 0:
                self._confirm()

    def _close(self) -> None:
        if self._listener is not None:
            self._listener.close()
        self._control.close()
        self.training.stop()
        self._jobs.close()
        self.participant.close()
        self._outputs.close()

    # Listening

    def _use(self, model: Model) -> None:
        """Use a model from now on; listening goes over to it between two blocks."""
        if model.bundle is not None and model.recogniser is not None:
            self._hear_with(model.bundle, model.recogniser)
        self.model = model
        self._in_use_since_s = time.monotonic()
        give_back()
        if model.stale_head and self.config.learning.personal:
            self._guarded(self.training.want_personal)

    def _hear_with(self, bundle: Bundle, recogniser: AnyRecogniser) -> None:
        kept = kept_for(bundle.manifest)
        if self.recent.spec.digest != kept.digest:
            self.recent = self._make_recent(kept)
        if (window := bundle.manifest.window) is not None:
            _log.info(
                "the network %s cannot stream: it looks at the last %g s of speech every %g s",
                window.name,
                window.window_s,
                window.decision_every_s,
            )
        config = self.config
        self._listen(
            Hearing(
                recogniser,
                device=config.device.id,
                config=config.decision,
                recent=self.recent,
                gate=config.gate,
            )
        )

    def _listen(self, hearing: Hearing) -> None:
        if self._listener is not None:
            self._listener.change(hearing.taking_over)
            return
        source = open_source(self.config.source)
        if source is not None:
            self._listener = Listener(source, hearing, self._outputs, on_end=self._source_ended)
            self._listener.start()

    def _source_ended(self, complaint: str | None) -> None:
        if complaint is not None:
            _log.error("listening ended: %s", complaint)
        if self.config.source.at_end == "stop":
            self.stop(0 if complaint is None else 1)

    def use_personal_head(self) -> None:
        """Listen with the head on the disk from now on, or with the bundle's own where there is none."""
        bundle, recogniser = self.model.bundle, self.model.recogniser
        if bundle is None or recogniser is None:
            return
        weights = fitting_head(stored_head(self.home), bundle)
        if self._listener is None:
            recogniser.set_head(weights)
        else:
            self._listener.change(lambda hearing: hearing.with_head(weights))

    def _make_outputs(self) -> Iterable[Output]:
        output = self.config.output
        if output.jsonl is not None:
            yield JsonLines(output.jsonl, max_bytes=output.max_bytes, keep_files=output.keep_files)
        if output.stdout:
            yield StandardOutput()
        if output.mqtt and self.participant.uplink.configured:
            yield self._published

    def _make_recent(self, kept: Kept) -> RecentSpeech:
        learning = self.config.learning
        return RecentSpeech(kept, max_s=learning.recent_speech_s, keep_audio=learning.keep_audio)

    # What the broker and the child processes bring

    def _delivered(self, delivery: Delivery) -> None:
        """Act on a message; it is acknowledged when its effect is on the disk, or when it has none."""
        try:
            if delivery.topic == self.participant.uplink.topics.label(self.config.device.id):
                self._requests.label_message(delivery.payload)
            else:
                self.participant.received(delivery.topic, delivery.payload)
        finally:
            delivery.acknowledge()

    def _job_done(self, result: JobResult) -> None:
        try:
            if result.kind == INSTALL:
                self.participant.rollout.done(result)
                self.participant.announce()
            elif result.kind == ROUND:
                self.participant.trained(result)
            else:
                self._personal_trained(result)
        finally:
            self.training.next()

    def _personal_trained(self, result: JobResult) -> None:
        error, bundle = result.error, self.model.bundle
        try:
            if result.answer is not None and bundle is not None:
                keep_if_confirmed(self.home, bundle, result.answer, read_vector(result.folder))
                self.use_personal_head()
        except AgentError as problem:
            error = str(problem)
        if error:
            _log.error("no personal head: %s", error)
        self.training.personal_done(None if error else result.answer, error)

    # What the user asks

    def status(self) -> dict[str, Any]:
        """Return the state of the running agent (JSON values)."""
        counters: dict[str, Any] = {"trainings": self.training.runs, "events_dropped": self._published.dropped}
        if self._listener is not None:
            counters |= self._listener.hearing.counters.to_json()
            counters |= {"overruns": self._listener.overruns, "output_failures": self._outputs.failures}
        return {
            **self.home.status(),
            "running": True,
            "software": __version__,
            "runtime": self.participant.runtime,
            "connected": self.participant.uplink.connected,
            "personal_in_use": self.model.recogniser is not None and self.model.recogniser.personal,
            "counters": counters,
        }

    def erase(self) -> None:
        """Remove everything that was learned from this person, on the disk and in memory."""
        self.training.stop()
        self.recent.clear()
        self._outputs.while_closed(self.home.erase)
        self.use_personal_head()
        self.participant.announce()
