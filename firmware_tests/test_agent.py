"""The real agent as a process: it listens to five minutes of speech and stays small."""

import json
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from overtone_edge.state.slots import Slots

LIMIT_MB = 80.0
LONG_S = 120.0


@pytest.fixture
def config(subject, long_recording, tmp_path) -> Path:
    """The configuration of an agent with the bundle installed; its broker does not answer."""
    slots = Slots(tmp_path / "state" / "slots")
    slots.activate(slots.stage(subject.payload, subject.payload, subject.bundle.manifest.version))
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    (tmp_path / "root.json").write_text("{}")
    path = tmp_path / "agent.toml"
    path.write_text(
        f'[device]\nid = "device-a"\nstate_dir = "state"\n[trust]\nroot_file = "root.json"\n'
        f'[source]\nkind = "file"\npath = "{long_recording}"\npaced = false\n'
        f'[output]\njsonl = "events.jsonl"\n[mqtt]\nport = {port}\n'
        "[gate]\nopen_frames = 1\naggressiveness = 0\n"
    )
    return path


def resident_mb(pid: int) -> dict[str, float]:
    """Return VmRSS and VmHWM of a process in MB; nothing once it has ended."""
    sizes = {}
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        key, _, value = line.partition(":")
        if key in ("VmRSS", "VmHWM"):
            sizes[key] = int(value.split()[0]) * 1024 / 1e6
    return sizes


def test_agent_listens_to_five_minutes_under_80_mb(config, environment, figure):
    command = [sys.executable, "-m", "overtone_edge.agent.cli", "run", "--config", str(config)]
    with (config.parent / "log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    deadline = time.monotonic() + LONG_S
    seen: list[dict[str, float]] = []
    try:
        while process.poll() is None and time.monotonic() < deadline:
            seen.append(resident_mb(process.pid))
            time.sleep(0.02)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0, (config.parent / "log").read_text()
    events = [json.loads(line) for line in (config.parent / "events.jsonl").read_text().splitlines()]
    assert len(events) > 10
    assert events[-1]["stream_s"] > 250
    sizes = [found for found in seen if "VmHWM" in found]
    peak = max(found["VmHWM"] for found in sizes)
    half, end = sizes[len(sizes) // 2]["VmRSS"], sizes[-1]["VmRSS"]
    figure(f"agent: at most {peak:.1f} MB resident, {half:.1f} MB half-way, {end:.1f} MB at the end of five minutes")
    assert peak < LIMIT_MB
    # What grows by the minute would show between half-way and the end.
    assert end - half < 5.0
