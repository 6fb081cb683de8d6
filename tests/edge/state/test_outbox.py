"""The outbox is emptied by a receipt and by nothing else."""

import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from overtone_edge.state.outbox import Outbox

ROUND = bytes(range(16))


def test_an_update_survives_a_restart_and_is_removed_by_its_receipt(tmp_path: Path) -> None:
    entry = Outbox(tmp_path / "outbox").put(ROUND, b"update")
    again = Outbox(tmp_path / "outbox")
    assert again.entries() == [entry]
    assert again.read(entry) == b"update"
    assert entry.transfer == hashlib.sha256(b"update").digest()
    assert not again.remove(bytes(32))
    assert again.remove(entry.transfer)
    assert Outbox(tmp_path / "outbox").entries() == []


def test_one_update_a_round(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox")
    first = outbox.put(ROUND, b"one")
    assert outbox.put(ROUND, b"two") == first
    assert outbox.read(first) == b"one"


def test_the_offer_describes_the_payload(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox")
    offer = outbox.offer(outbox.put(ROUND, bytes(150_000)), "device-a")
    assert (offer.size, offer.chunk_size, offer.chunks) == (150_000, 60_000, 3)


@pytest.mark.parametrize("name", [".x.update.99999999.tmp"])
def test_what_a_killed_process_left_is_removed(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "outbox"
    folder.mkdir()
    (folder / name).write_bytes(b"half")
    Outbox(folder)
    assert list(folder.iterdir()) == []


def test_killed_at_any_instant_there_is_a_whole_update_or_none(tmp_path: Path) -> None:
    code = (
        "import sys, os\n"
        "from pathlib import Path\n"
        "from overtone_edge.state.outbox import Outbox\n"
        "box = Outbox(Path(sys.argv[1]))\n"
        "print('ready', flush=True)\n"
        "for n in range(10**6): box.put(n.to_bytes(16, 'big'), bytes([n % 256]) * 500_000)\n"
    )
    folder = tmp_path / "outbox"
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(folder)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert process.stdout is not None
    process.stdout.readline()
    while not list(folder.glob("*.update")):
        assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    outbox = Outbox(folder)
    assert outbox.entries()
    for entry in outbox.entries():
        assert hashlib.sha256(outbox.read(entry)).digest() == entry.transfer
