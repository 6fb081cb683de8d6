"""Commands on a device: sent to the running agent, else executed in this process on the same state folder."""

import tempfile
from pathlib import Path
from typing import Any

from overtone_edge.agent.control import ask
from overtone_edge.agent.status import stored_status
from overtone_edge.core.errors import ControlError, InstallError
from overtone_edge.core.files import remove
from overtone_edge.install import installer
from overtone_edge.install.active_model import activate
from overtone_edge.install.loading import load_model
from overtone_edge.install.stored_model import required_bundle, stored_bundle
from overtone_edge.learning import trainer
from overtone_edge.learning.labelling import checked_label, seconds
from overtone_edge.learning.schedule import keep_if_confirmed, personal_request
from overtone_edge.state.home import Home
from overtone_models.pretrained import all_pretrained

LONG_S = 3_600.0


def label_last(home: Home, label: str, duration: str) -> int:
    """Label the last seconds of speech in the running agent; return the number of stored utterances."""
    request = {"command": "label", "label": checked_label(label, None), "last_s": seconds(duration)}
    answer = ask(home.socket, request)
    if answer is None:
        raise ControlError(f"no agent runs in {home.folder}; only a running agent knows the last {duration}")
    return int(answer["stored"])


def personalise(home: Home) -> dict[str, Any]:
    """Train a personal head and return the trainer's answer; the head is stored if the labelled speech confirms it."""
    answer = ask(home.socket, {"command": "personalise"}, timeout_s=LONG_S)
    if answer is not None:
        return answer
    bundle = required_bundle(home)
    request = personal_request(home)
    with tempfile.TemporaryDirectory() as folder:
        answer = trainer.work(Path(folder), request)
        keep_if_confirmed(home, bundle, answer, trainer.read_vector(Path(folder)))
    return answer


def install(home: Home, what: Path) -> None:
    """Install a signed bundle or, by its name, a pretrained one, in the running agent where there is one."""
    arguments: dict[str, str]
    if what.is_file():
        arguments, request = {"path": str(what.absolute())}, installer.signed_request(home, what)
    else:
        name = _pretrained_name(what)
        arguments, request = {"pretrained": name}, installer.pretrained_request(home, name)
    if ask(home.socket, {"command": "install", **arguments}, timeout_s=LONG_S) is not None:
        return
    with home.locked():
        slot, quality = installer.parse_answer(installer.work(home.folder, request))
        activate(home, slot, quality)
        model = load_model(home, starting=False)
        if model.failures:
            raise InstallError(model.failures[0].reason)
        home.slots.confirm()


def labels_in_use(home: Home) -> tuple[str, ...] | None:
    """Return the labels of the bundle in use, None where there is none."""
    bundle = stored_bundle(home)
    return None if bundle is None else bundle.manifest.labels


def _pretrained_name(what: Path) -> str:
    names = [model.name for model in all_pretrained()]
    if str(what) in names:
        return str(what)
    available = f"there are {', '.join(names)}" if names else "none came with this software"
    raise InstallError(f"there is no file {what}, and no pretrained model of that name: {available}")


def status(home: Home) -> dict[str, Any]:
    """Return the state of the running agent, or of the state folder where none runs."""
    answer = ask(home.socket, {"command": "status"})
    if answer is None:
        return {**stored_status(home), "running": False}
    values: dict[str, Any] = answer["status"]
    return values


def erase(home: Home) -> None:
    """Remove everything that was learned from this person."""
    if ask(home.socket, {"command": "erase"}) is None:
        with home.locked():
            home.erase()
            remove(home.jobs)


def erase_reference(home: Home) -> None:
    """Begin the reference of this room and voice anew."""
    if ask(home.socket, {"command": "erase", "reference_only": True}) is None:
        with home.locked():
            home.reference.erase()


def refresh(home: Home) -> None:
    """Notify a running agent of new examples."""
    ask(home.socket, {"command": "refresh"})
