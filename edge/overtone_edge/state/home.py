"""What the agent keeps on the disk, and where: one folder, one owner."""

import contextlib
import fcntl
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from overtone_edge.core.config import NO_PRETRAINED, Config
from overtone_edge.core.errors import AgentError, InstallError
from overtone_edge.core.files import make_folder, read_limited, remove, storing, write_atomically
from overtone_edge.core.jobs import PERSONAL, ROUND
from overtone_edge.hearing.example_forms import Kept, kept_for
from overtone_edge.hearing.outputs import remove_log
from overtone_edge.state.assignment import RoundDesk
from overtone_edge.state.examples import Store
from overtone_edge.state.outbox import Outbox
from overtone_edge.state.personal_head import PersonalStore
from overtone_edge.state.slots import Slots
from overtone_models.bundle import MAX_BYTES, Bundle, read_bundle
from overtone_models.errors import ModelError, PretrainedError
from overtone_models.gate import GateSpec
from overtone_models.pretrained import Pretrained, find_pretrained


@dataclass
class Home:
    """The state folder of one device."""

    config: Config
    folder: Path = field(init=False)
    slots: Slots = field(init=False)
    store: Store = field(init=False)
    outbox: Outbox = field(init=False)
    personal: PersonalStore = field(init=False)
    desk: RoundDesk = field(init=False)

    def __post_init__(self) -> None:
        learning = self.config.learning
        self.folder = make_folder(self.config.device.state_dir)
        self.slots = Slots(self.folder / "slots")
        self.store = Store(
            self.folder / "store",
            max_bytes=learning.max_store_bytes,
            held_out_fraction=learning.held_out_fraction,
        )
        self.outbox = Outbox(self.folder / "outbox")
        self.personal = PersonalStore(self.folder / "personal")
        self.desk = RoundDesk(self.folder / "rounds.json")

    @property
    def trust(self) -> Path:
        """Where the trusted TUF metadata is kept."""
        return self.folder / "trust"

    @property
    def incoming(self) -> Path:
        """Where a bundle arrives."""
        return make_folder(self.folder / "incoming")

    @property
    def jobs(self) -> Path:
        """Where child processes work."""
        return self.folder / "jobs"

    @property
    def socket(self) -> Path:
        """Where the running agent takes requests."""
        return self.folder / "agent.sock"

    def client_id(self) -> str:
        """Return this device's MQTT client identifier: made once, and not to be guessed.

        Whoever connects with it takes over the device's session at the broker.
        """
        path = self.folder / "client-id"
        if not path.exists():
            write_atomically(path, f"{self.config.device.id}-{secrets.token_hex(16)}".encode())
        return read_limited(path, 256).decode("ascii", "replace")

    def bundle(self) -> Bundle | None:
        """Return the installed bundle, else the pretrained one, None without both; raise for one that is damaged."""
        if self.slots.state.current is not None:
            return read_bundle(self.slots.payload())
        path = self.payload_path()
        return None if path is None else read_bundle(read_limited(path, MAX_BYTES))

    def payload_path(self) -> Path | None:
        """Return where the bundle is that `bundle` reads; None where there is none."""
        if (slot := self.slots.state.current) is not None:
            return self.slots.payload_path(slot)
        with contextlib.suppress(PretrainedError):
            return None if (came := self.pretrained()) is None else came.bundle
        return None

    def pretrained(self) -> Pretrained | None:
        """Return the pretrained model that is used while nothing is installed; raise PretrainedError where it is lost.

        None where [trust] wants none, and for a device that does not listen: it has the fleet's model or none.
        """
        name = self.config.trust.pretrained
        if name == NO_PRETRAINED or self.config.source.kind == "none":
            return None
        return find_pretrained(name)

    def specs(self) -> tuple[Kept, GateSpec, tuple[str, ...] | None]:
        """Return what is kept of speech, gate and labels of the bundle in use, or the defaults without one."""
        bundle = self.bundle()
        if bundle is None:
            return kept_for(None), GateSpec(), None
        return kept_for(bundle.manifest), bundle.manifest.gate, bundle.manifest.labels

    def install_request(self, signed: Path) -> dict[str, Any]:
        """Return the installer's request for a signed file; raise InstallError where nobody is trusted to sign."""
        root = self.config.trust.root_file
        if root is None:
            raise InstallError(
                f"{signed} cannot be verified: the configuration has no [trust] root_file (`overtone keys` makes one)"
            )
        return {
            "signed": str(signed),
            "root": str(root),
            "trust": str(self.trust),
            "slots": str(self.folder / "slots"),
        }

    def pretrained_request(self, name: str) -> dict[str, Any]:
        """Return the installer's request for a pretrained model: its name, never a path."""
        return {"pretrained": name, "slots": str(self.folder / "slots")}

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder for this process inside the block; raises InstallError where an agent has it."""
        path = self.folder / "agent.lock"
        with storing(path):
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(descriptor)
            raise InstallError(f"{self.folder} is in use by a running agent") from error
        try:
            yield
        finally:
            os.close(descriptor)

    def erase(self) -> None:
        """Remove everything that was learned from this person: examples, head, updates, logs."""
        self.store.erase()
        self.personal.erase()
        self.outbox.erase()
        self.desk.erase()
        for kind in (ROUND, PERSONAL):  # a bundle that is being installed tells nothing of this person
            remove(self.jobs / kind)
        if self.config.output.jsonl is not None:
            remove_log(self.config.output.jsonl)

    def status(self) -> dict[str, Any]:
        """Return what the disk tells: bundle, examples, outbox, personal head (JSON values)."""
        return {
            "device": self.config.device.id,
            "fleet": self.config.device.fleet,
            "bundle": self._bundle_status(),
            "previous_version": self.slots.state.previous.version if self.slots.state.previous else None,
            **self._example_status(),
            "outbox": len(self.outbox.parcels()),
            "personal": self._personal_status(),
        }

    def _bundle_status(self) -> dict[str, Any] | None:
        slot = self.slots.state.current
        signed = slot.signed if slot is not None and slot.is_signed else None
        try:
            bundle = self.bundle()
        except (AgentError, ModelError) as error:
            return {"version": slot.version if slot else None, "signed": signed, "error": str(error)}
        if bundle is None:
            return None
        manifest = bundle.manifest
        return {
            "name": manifest.name,
            "version": manifest.version,
            "installed": slot is not None,
            "signed": signed,
            "digest": bundle.digest,
            "base": bundle.base,
            "layout": manifest.layout.digest,
            "network": manifest.network.title,
            "front_end": manifest.features_digest,
            "base_round": manifest.base_round,
            "labels": list(manifest.labels),
            "licence": manifest.licence,
            "confirmed": self.slots.state.confirmed,
        }

    def _example_status(self) -> dict[str, Any]:
        training, held_out = self.store.counts()
        return {
            "examples": training,
            "held_out": held_out,
            "by_label": self.store.counts_by_label(),
            "store_bytes": self.store.size_bytes(),
        }

    def _personal_status(self) -> dict[str, Any] | None:
        try:
            head = self.personal.load()
        except AgentError as error:
            return {"error": str(error)}
        return None if head is None else {"base": head.base, **head.quality}
