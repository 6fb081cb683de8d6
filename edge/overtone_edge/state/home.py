"""State folder of one device: its layout on the disk, its lock, and the erasure of personal data."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from overtone_edge.core.config import Config
from overtone_edge.core.errors import InstallError
from overtone_edge.core.files import make_folder, remove, storing
from overtone_edge.core.jobs import PERSONAL, ROUND
from overtone_edge.hearing.outputs import remove_log
from overtone_edge.state.assignment import AssignmentStore
from overtone_edge.state.examples import Store
from overtone_edge.state.outbox import Outbox
from overtone_edge.state.personal_head import PersonalStore
from overtone_edge.state.reference import ReferenceStore
from overtone_edge.state.slots import Slots


@dataclass
class Home:
    """The folders of one device, and the store that works in each."""

    config: Config
    folder: Path = field(init=False)
    slots: Slots = field(init=False)
    store: Store = field(init=False)
    outbox: Outbox = field(init=False)
    personal: PersonalStore = field(init=False)
    assignments: AssignmentStore = field(init=False)
    reference: ReferenceStore = field(init=False)

    def __post_init__(self) -> None:
        learning = self.config.learning
        self.folder = make_folder(self.config.device.state_dir)
        self.slots = Slots(self.slots_folder)
        self.store = Store(
            self.store_folder,
            max_bytes=learning.max_store_bytes,
            held_out_fraction=learning.held_out_fraction,
        )
        self.outbox = Outbox(self.folder / "outbox")
        self.personal = PersonalStore(self.folder / "personal")
        self.assignments = AssignmentStore(self.folder / "rounds.json")
        self.reference = ReferenceStore(self.folder / "reference")

    @property
    def slots_folder(self) -> Path:
        """Folder of the installed bundles."""
        return self.folder / "slots"

    @property
    def store_folder(self) -> Path:
        """Folder of the labelled examples."""
        return self.folder / "store"

    @property
    def trust(self) -> Path:
        """Folder of the trusted TUF metadata."""
        return self.folder / "trust"

    @property
    def incoming(self) -> Path:
        """Folder of the release that is being fetched."""
        return make_folder(self.folder / "incoming")

    @property
    def jobs(self) -> Path:
        """Folder of the child processes."""
        return self.folder / "jobs"

    @property
    def socket(self) -> Path:
        """Path of the running agent's control socket."""
        return self.folder / "agent.sock"

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the folder for this process inside the block; raises InstallError where an agent has it."""
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
        """Remove everything that was learned from this person: examples, head, reference, figures, updates, logs."""
        self.store.erase()
        self.personal.erase()
        self.reference.erase()
        self.outbox.erase()
        self.assignments.erase()
        self.slots.erase_quality()
        for name in (ROUND, PERSONAL):  # an installation in progress holds no personal data
            remove(self.jobs / name)
        if self.config.output.jsonl is not None:
            remove_log(self.config.output.jsonl)
