"""This device as a member of its fleet: presence, rounds, releases. Messages in, messages out."""

import logging
import time
import uuid
from collections.abc import Callable

from overtone_common.link import OnConnection, OnDelivery
from overtone_edge import __version__
from overtone_edge.core.config import Config
from overtone_edge.core.errors import AgentError, JobError
from overtone_edge.core.jobs import JobResult, Jobs
from overtone_edge.fleet.releases import Updates
from overtone_edge.fleet.rollout import Rollout
from overtone_edge.fleet.rounds import Federation, Patience, Standing, TrainingReport
from overtone_edge.fleet.uplink import LinkFactory, Uplink
from overtone_edge.hearing.runtime import runtime_name
from overtone_edge.install.loading import Model
from overtone_edge.learning.schedule import Training
from overtone_edge.learning.trainer import read_vector
from overtone_edge.state.home import Home
from overtone_models.bundle import Bundle
from overtone_models.layout import SCOPES
from overtone_protocol import (
    AGGREGATOR,
    Chunk,
    Message,
    MessageError,
    Presence,
    ProtocolError,
    Receipt,
    Release,
    RoundCall,
    Wanted,
    decode,
)

_log = logging.getLogger(__name__)

EXAMPLES_EVERY_S = 10.0


class Participant:
    """Speaks with the aggregator; `use` is called with each model that is to be used from then on."""

    def __init__(
        self,
        config: Config,
        home: Home,
        jobs: Jobs,
        training: Training,
        *,
        use: Callable[[Model], None],
        link_factory: LinkFactory | None = None,
        patience: Patience | None = None,
    ) -> None:
        device, learning = config.device.id, config.learning
        self.uplink = Uplink(config, link_factory, home.client_id)
        self.runtime = runtime_name()
        self._device = device
        self._home = home
        self._training = training
        self._use = use
        self._bundle: Bundle | None = None
        self._boot = uuid.uuid4().bytes
        self._examples_changed = False
        self._examples_due_s = 0.0
        self._federation = Federation(
            device,
            home.desk,
            home.outbox,
            min_examples=learning.min_examples,
            willing=learning.federated,
            patience=patience,
        )
        self._updates = Updates(device, home.slots, home.incoming, patience=patience)
        self.rollout = Rollout(home, jobs, self._updates, use=self._switched, send=self.uplink.send)

    # The connection

    def start(self, on_delivery: OnDelivery, on_connection: OnConnection) -> None:
        """Begin to connect."""
        self.uplink.start(self._presence(online=False), on_delivery, on_connection)

    def connected(self) -> None:
        """Say who this is, and ask again for everything that was under way."""
        now_s = time.monotonic()
        self.uplink.connected_again()
        self.announce()
        self.uplink.send(self._federation.connected(now_s))
        self.uplink.send(self._updates.connected(now_s))

    def announce(self) -> None:
        """Publish the presence where it changed."""
        self._examples_changed = False
        self.uplink.announce(self._presence(online=True))

    def examples_changed(self) -> None:
        """Publish the presence for new examples: now, or with a later tick where that was done just now."""
        self._examples_changed = True
        self._announce_examples(time.monotonic())

    def _announce_examples(self, now_s: float) -> None:
        if self._examples_changed and now_s >= self._examples_due_s:
            self._examples_due_s = now_s + EXAMPLES_EVERY_S
            self.announce()

    def close(self) -> None:
        """Say goodbye."""
        self.uplink.close(self._presence(online=False))

    def tick(self) -> None:
        """Let time pass: deadlines, and what has to be asked again."""
        now_s = time.monotonic()
        if self.uplink.connected:
            self._announce_examples(now_s)
            self.uplink.send(self._federation.tick(now_s))
            self.uplink.send(self._updates.tick(now_s))
            self.rollout.install_fetched()
        current = self._home.desk.current
        if current is not None and current.expired(time.time()):
            self._give_up_round("late: the deadline passed before training ended")

    def received(self, topic: str, payload: bytes) -> None:
        """Act on a message; raise MessageError for one that cannot be, or is not for this device."""
        message, now_s = decode(payload), time.monotonic()
        if isinstance(message, Release) != (topic == self.uplink.topics.release):
            raise MessageError(f"a message of the kind {message.kind} came on {topic}")
        if isinstance(message, Release):
            self.uplink.send(self._updates.release(message, now_s))
        else:
            self._received_here(message, now_s)
        self.rollout.install_fetched()

    def _received_here(self, message: Message, now_s: float) -> None:
        if isinstance(message, RoundCall):
            self._called(message, now_s)
        elif isinstance(message, Wanted):
            self.uplink.send(self._federation.wanted(message, now_s))
        elif isinstance(message, Receipt):
            self._federation.receipt(message)
            _log.info("update %s %s", message.status, message.reason)
        elif isinstance(message, Chunk) and message.device == AGGREGATOR:
            self.uplink.send(self._updates.chunk(message, now_s))
        else:
            raise MessageError(f"a message of the kind {message.kind} is not for devices")

    # Rounds

    def _called(self, call: RoundCall, now_s: float) -> None:
        before = self._home.desk.current
        self.uplink.send(self._federation.call(call, self._standing(), received_s=time.time(), now_s=now_s))
        if self._home.desk.current is not before:
            _log.info("round %d: %d steps of the scope %s", call.round, call.steps, call.scope)
            self._training.cancel_round()
        self._training.next()

    def _give_up_round(self, reason: str) -> None:
        self._training.cancel_round()
        self.uplink.send(self._federation.decline(reason))
        self._training.next()

    def trained(self, result: JobResult) -> None:
        """Offer the update that a round's training gave, or say that there is none."""
        current = self._home.desk.current
        if current is None or current.call.round_id.hex() != result.request["round_id"]:
            return  # another round's call came in while this result was on its way
        try:
            if result.answer is None:
                raise JobError(result.error)
            examples, before, after = (result.answer[key] for key in ("examples", "loss_before", "loss_after"))
            report = TrainingReport(read_vector(result.folder), examples, before, after)
            self.uplink.send(self._federation.finished(report, self._standing(), time.monotonic()))
        except (AgentError, ProtocolError) as error:
            _log.error("no update for this round: %s", error)
            self.uplink.send(self._federation.decline(f"failed: {error}"))

    # What this device is

    def _switched(self, model: Model) -> None:
        self._use(model)
        # A pretrained model listens, but is nothing of the fleet's: to the aggregator there is none yet.
        self._bundle = None if model.pretrained else model.bundle
        current = self._home.desk.current
        if current is not None and current.call.base != self._standing().base:
            self._give_up_round("wrong-base: another bundle was installed")

    def _presence(self, *, online: bool) -> Presence:
        standing, slot = self._standing(), self._home.slots.state.current
        return Presence(
            device=self._device,
            online=online,
            boot=self._boot,
            software=__version__,
            runtime=self.runtime,
            bundle=None if slot is None else bytes.fromhex(slot.signed),
            bundle_version=0 if slot is None else slot.version,
            base=standing.base,
            layout=standing.layout,
            front_end=standing.front_end,
            examples=standing.examples,
            held_out=self._example_counts()[1],
        )

    def _standing(self) -> Standing:
        examples = self._example_counts()[0]
        if self._bundle is None:
            return Standing(examples=examples)
        manifest = self._bundle.manifest
        return Standing(
            base=bytes.fromhex(self._bundle.base),
            layout=bytes.fromhex(manifest.layout.digest),
            front_end=bytes.fromhex(manifest.features_digest),
            examples=examples,
            scopes=SCOPES if manifest.window is None else ("head",),
        )

    def _example_counts(self) -> tuple[int, int]:
        """Return how many examples the installed model can train on, and how many are held out."""
        if self._bundle is None:
            return self._home.store.counts()
        manifest = self._bundle.manifest
        return self._home.store.counts(manifest.features_digest, manifest.labels)
