"""Fleet membership of a device: presence, rounds and releases. Messages in, messages out."""

import logging
import secrets
import time
import uuid
from collections.abc import Iterable
from pathlib import Path

from overtone_common.link import OnConnection, OnDelivery
from overtone_edge import __version__
from overtone_edge.core.config import Config
from overtone_edge.core.errors import AgentError, JobError
from overtone_edge.core.files import read_limited, write_atomically
from overtone_edge.core.jobs import JobResult
from overtone_edge.fleet.releases import ReleaseFetcher
from overtone_edge.fleet.rounds import Backoff, Readiness, RoundClient, TrainingReport
from overtone_edge.fleet.uplink import LinkFactory, Uplink
from overtone_edge.hearing.runtime import runtime_name
from overtone_edge.install.active_model import ActiveModel, InstallOutcome
from overtone_edge.install.loading import Failure, Model
from overtone_edge.learning.schedule import TrainingSchedule
from overtone_edge.learning.trainer import read_vector
from overtone_edge.state.home import Home
from overtone_models.bundle import Bundle
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


def client_id(folder: Path, device: str) -> str:
    """Return this device's MQTT client identifier: random, created once and then stored.

    It must not be guessable: a client that connects with it takes over the device's session at the broker.
    """
    path = folder / "client-id"
    if not path.exists():
        write_atomically(path, f"{device}-{secrets.token_hex(16)}".encode())
    return read_limited(path, 256).decode("ascii", "replace")


class Participant:
    """Client of the aggregator: answers round calls, offers updates, fetches releases and reports on them."""

    def __init__(
        self,
        config: Config,
        home: Home,
        active: ActiveModel,
        training: TrainingSchedule,
        *,
        link_factory: LinkFactory | None = None,
        backoff: Backoff | None = None,
    ) -> None:
        device, learning = config.device.id, config.learning
        self.uplink = Uplink(config, link_factory, lambda: client_id(home.folder, device))
        self._device = device
        self._home = home
        self._active = active
        self._training = training
        self._shares_quality = learning.federated
        self._runtime = runtime_name()
        self._bundle: Bundle | None = None
        self._boot = uuid.uuid4().bytes
        self._examples_changed = False
        self._examples_due_s = 0.0
        self._rounds = RoundClient(
            device,
            home.assignments,
            home.outbox,
            min_examples=learning.min_examples,
            willing=learning.federated,
            backoff=backoff,
        )
        self._releases = ReleaseFetcher(device, home.slots, home.incoming, backoff=backoff)
        training.take_rounds(self._trained)

    # The connection

    def start(self, on_delivery: OnDelivery, on_connection: OnConnection) -> None:
        """Begin to connect."""
        self.uplink.start(self._presence(online=False), on_delivery, on_connection)

    def connected(self) -> None:
        """Publish the presence, and repeat all open requests and offers."""
        now_s = time.monotonic()
        self.uplink.connected_again()
        self.announce()
        self.uplink.send(self._rounds.connected(now_s))
        self.uplink.send(self._releases.connected(now_s))

    def announce(self) -> None:
        """Publish the presence where it changed."""
        self._examples_changed = False
        self.uplink.announce(self._presence(online=True))

    def examples_changed(self) -> None:
        """Publish the presence for new examples, at most once per `EXAMPLES_EVERY_S`."""
        self._examples_changed = True
        self._announce_examples(time.monotonic())

    def _announce_examples(self, now_s: float) -> None:
        if self._examples_changed and now_s >= self._examples_due_s:
            self._examples_due_s = now_s + EXAMPLES_EVERY_S
            self.announce()

    def close(self) -> None:
        """Publish that this device is offline, and disconnect."""
        self.uplink.close(self._presence(online=False))

    def tick(self) -> None:
        """Check the round's deadline, and repeat requests that have timed out."""
        now_s = time.monotonic()
        if self.uplink.connected:
            self._announce_examples(now_s)
            self.uplink.send(self._rounds.tick(now_s))
            self.uplink.send(self._releases.tick(now_s))
            self._install_fetched()
        current = self._home.assignments.current
        if current is not None and current.expired(time.time()):
            self._abandon_round("late: the deadline passed before training ended")

    def received(self, topic: str, payload: bytes) -> None:
        """Handle a message; raise MessageError for one that is invalid or not for this device."""
        message, now_s = decode(payload), time.monotonic()
        if isinstance(message, Release) != (topic == self.uplink.topics.release):
            raise MessageError(f"a message of the kind {message.kind} does not belong on {topic}")
        if isinstance(message, Release):
            self.uplink.send(self._releases.release(message, now_s))
        else:
            self._received_down(message, now_s)
        self._install_fetched()

    def _received_down(self, message: Message, now_s: float) -> None:
        if isinstance(message, RoundCall):
            self._called(message, now_s)
        elif isinstance(message, Wanted):
            self.uplink.send(self._rounds.wanted(message, now_s))
        elif isinstance(message, Receipt):
            self._rounds.receipt(message)
            _log.info("update %s %s", message.status, message.reason)
        elif isinstance(message, Chunk) and message.device == AGGREGATOR:
            self.uplink.send(self._releases.chunk(message, now_s))
        else:
            raise MessageError(f"a message of the kind {message.kind} is not for devices")

    # Rounds

    def _called(self, call: RoundCall, now_s: float) -> None:
        before = self._home.assignments.current
        self.uplink.send(self._rounds.call(call, self._readiness(), received_s=time.time(), now_s=now_s))
        if self._home.assignments.current is not before:
            _log.info("round %d: %d steps of the scope %s", call.round, call.steps, call.scope)
            self._training.cancel_round()
        self._training.next()

    def _abandon_round(self, reason: str) -> None:
        self._training.cancel_round()
        self.uplink.send(self._rounds.decline(reason))
        self._training.next()

    def _trained(self, result: JobResult) -> None:
        """Offer the update of a round's training, or decline where there is none."""
        current = self._home.assignments.current
        if current is None or current.call.round_id.hex() != result.request["round_id"]:
            return  # another round was called in the meantime
        try:
            if result.answer is None:
                raise JobError(result.error)
            examples, before, after = (result.answer[key] for key in ("examples", "loss_before", "loss_after"))
            report = TrainingReport(read_vector(result.folder), examples, before, after)
            self.uplink.send(self._rounds.finished(report, self._readiness(), time.monotonic()))
        except (AgentError, ProtocolError) as error:
            _log.error("no update for this round: %s", error)
            self.uplink.send(self._rounds.decline(f"failed: {error}"))

    # Releases and the model in use

    def _install_fetched(self) -> None:
        """Install the release whose download is complete."""
        download = self._releases.installable(time.monotonic())
        if download is None or self._active.installing:
            return
        release, path = download
        self._active.install_signed(
            path, lambda outcome: self._installed(release, outcome), digest=release.bundle.hex()
        )

    def _installed(self, release: Release, outcome: InstallOutcome) -> None:
        if outcome.final:
            quality = outcome.quality if self._shares_quality else None
            self.uplink.send([self._releases.settled(release, error=outcome.error, quality=quality)])
        else:
            self._releases.postpone(release, outcome.error, time.monotonic())
        self.announce()

    def rolled_back(self, failures: Iterable[Failure]) -> None:
        """Report the bundles that failed at the start."""
        self.uplink.send(
            self._releases.health(
                bytes.fromhex(failure.slot.signed), failure.slot.version, "rolled-back", failure.reason
            )
            for failure in failures
        )

    def model_changed(self, model: Model) -> None:
        """Use another model for rounds; a round on another base is declined."""
        # A pretrained model can listen but is not a release of the fleet: for the aggregator the device has none yet.
        self._bundle = None if model.pretrained else model.bundle
        current = self._home.assignments.current
        if current is not None and current.call.base != self._readiness().base:
            self._abandon_round("wrong-base: another bundle was installed")

    # Presence

    def _presence(self, *, online: bool) -> Presence:
        readiness, slot = self._readiness(), self._home.slots.state.current
        return Presence(
            device=self._device,
            online=online,
            boot=self._boot,
            software=__version__,
            runtime=self._runtime,
            bundle=None if slot is None else bytes.fromhex(slot.signed),
            bundle_version=0 if slot is None else slot.version,
            base=readiness.base,
            layout=readiness.layout,
            front_end=readiness.front_end,
            examples=readiness.examples,
            held_out=self._example_counts()[1],
        )

    def _readiness(self) -> Readiness:
        examples = self._example_counts()[0]
        if self._bundle is None:
            return Readiness(examples=examples)
        manifest = self._bundle.manifest
        return Readiness(
            base=bytes.fromhex(self._bundle.base),
            layout=bytes.fromhex(manifest.layout.digest),
            front_end=bytes.fromhex(manifest.features_digest),
            examples=examples,
            scopes=manifest.network.scopes,
        )

    def _example_counts(self) -> tuple[int, int]:
        """Return how many examples the installed model can train on, and how many are held out."""
        if self._bundle is None:
            return self._home.store.counts()
        manifest = self._bundle.manifest
        return self._home.store.counts(manifest.features_digest, manifest.labels)
