"""The demonstration's processes: configurations, child processes with logs, and the rounds as they end."""

import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from overtone_cloud.broker.mosquitto import defer_interrupts
from overtone_cloud.errors import CloudError

FLEET = "demo"
ROUND_TIMEOUT_S = 300.0
"""Of one round, not of all: each may take long on a busy or small machine; one that does not end is a fault."""
ENDED_ROUNDS = """
    select number, outcome, uar_before, uar_after, reason from rounds where ended_at is not null order by number
"""

Say = Callable[[str], None]


class DemoError(CloudError):
    """A part of the demonstration that failed; the line names its log."""


@dataclass(frozen=True, kw_only=True)
class Rounds:
    """Settings of the demonstration's rounds."""

    number: int
    scope: str
    steps: int
    learning_rate: float
    momentum: float
    seed: int


def aggregator_config(
    folder: Path,
    *,
    port: int,
    bundle: Path,
    keys: Path,
    corpus: Path,
    gate: Sequence[str],
    devices: int,
    rounds: Rounds,
) -> Path:
    """Write the aggregator's TOML and return its path."""
    clients = "broker/clients/aggregator"
    values: dict[str, dict[str, Any]] = {
        "aggregator": {"fleet": FLEET, "state_dir": "aggregator", "linger_s": 60.0},
        "mqtt": {
            "host": "127.0.0.1",
            "port": port,
            "ca_file": f"{clients}/ca.crt",
            "cert_file": f"{clients}/client.crt",
            "key_file": f"{clients}/client.key",
        },
        "model": {"bundle": str(bundle.resolve()), "keys": str(keys.resolve()), "out": "releases"},
        "evaluation": {"corpus": str(corpus.resolve()), "test_speakers": list(gate), "margin": 0.0},
        "round": {
            "scope": rounds.scope,
            "min_devices": devices,
            "max_devices": devices,
            "quorum": devices,
            "deadline_s": 60.0,
            "reply_deadline_s": 20.0,
            "gather_s": 1.0,
            "failed_pause_s": 1.0,
            "steps": rounds.steps,
            "learning_rate": rounds.learning_rate,
            "momentum": rounds.momentum,
            "seed": rounds.seed,
        },
    }
    return write_toml(folder / "aggregator.toml", values)


def agent_config(folder: Path, device: str, *, port: int, root: Path, seed: int) -> Path:
    """Write an agent's TOML (it only federates) and return its path."""
    clients = f"../broker/clients/{device}"
    values: dict[str, dict[str, Any]] = {
        "device": {"id": device, "fleet": FLEET, "state_dir": "state"},
        "source": {"kind": "none"},
        "mqtt": {
            "host": "127.0.0.1",
            "port": port,
            "ca_file": f"{clients}/ca.crt",
            "cert_file": f"{clients}/client.crt",
            "key_file": f"{clients}/client.key",
        },
        "learning": {"seed": seed},
        "trust": {"root_file": str(root.resolve())},
    }
    return write_toml(folder / device / "agent.toml", values)


def listening_config(folder: Path, device: str, *, recording: Path, root: Path) -> Path:
    """Write the TOML with which a device listens to a recording at its real pace, and return its path."""
    values: dict[str, dict[str, Any]] = {
        "device": {"id": device, "fleet": FLEET, "state_dir": "state"},
        "source": {"kind": "file", "path": str(recording.resolve()), "paced": True},
        "output": {"stdout": True},
        "trust": {"root_file": str(root.resolve())},
    }
    return write_toml(folder / device / "listen.toml", values)


def unconfigured_listening(folder: Path, *, recording: Path) -> Path:
    """Write the TOML of a device that has neither bundle nor keys and listens to a recording; return its path."""
    values: dict[str, dict[str, Any]] = {
        "device": {"id": "new", "fleet": FLEET, "state_dir": "state"},
        "source": {"kind": "file", "path": str(recording.resolve()), "paced": False},
        "output": {"stdout": True},
    }
    return write_toml(folder / "listen.toml", values)


def write_toml(path: Path, values: dict[str, dict[str, Any]]) -> Path:
    """Write sections of plain values as TOML (whose texts, numbers and lists are JSON's)."""
    lines = []
    for section, fields in values.items():
        lines.append(f"[{section}]")
        lines += [f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in fields.items()]
        lines.append("")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


Command = Sequence[str | Path]


class ChildProcess:
    """A child process with its log, running while the context is open; it is ended by its own process id."""

    def __init__(self, name: str, command: Command, log: Path) -> None:
        self.name, self.command, self.log = name, command, log

    def __enter__(self) -> Self:
        with self.log.open("ab") as out:
            try:
                with defer_interrupts():
                    self._process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
            except KeyboardInterrupt:
                self.stop()
                raise
        return self

    def __exit__(self, *failure: object) -> None:
        self.stop()

    @property
    def running(self) -> bool:
        """Whether the process is running."""
        return self._process.poll() is None

    def check(self) -> None:
        """Raise DemoError when the process has ended."""
        if not self.running:
            raise DemoError(f"{self.name} ended with {self._process.returncode}: {last_line(self.log)} ({self.log})")

    def wait(self, timeout_s: float) -> int:
        """Return its exit status; raise DemoError when it takes longer."""
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired as error:
            raise DemoError(
                f"{self.name} did not end within {timeout_s:.0f} s: {last_line(self.log)} ({self.log})"
            ) from error

    def peak_mb(self) -> float | None:
        """Return the peak resident memory in MB while it runs, None where the system does not report it."""
        try:
            status = Path(f"/proc/{self._process.pid}/status").read_text()
        except OSError:
            return None
        peaks = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")]
        return int(peaks[0]) / 1024 if peaks else None

    def stop(self) -> None:
        """End it: by SIGTERM, after 10 s by SIGKILL."""
        if self.running:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()


def call(name: str, command: Command, log: Path, timeout_s: float = 120.0) -> str:
    """Run a command to its end and return its standard output; errors go to the log."""
    try:
        process = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout_s, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise DemoError(f"{name}: {error}") from error
    with log.open("a") as out:
        out.write(f"{process.stdout}{process.stderr}")
    if process.returncode:
        raise DemoError(f"{name} ended with {process.returncode}: {last_line(log)} ({log})")
    return process.stdout


def last_line(log: Path) -> str:
    """Return the last line of a log."""
    lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
    return lines[-1] if lines else "no output"


def aggregator_program() -> Path:
    """Return the aggregator's program in this environment."""
    return Path(sys.executable).parent / "overtone-aggregator"


def watch_rounds(database: Path, aggregator: ChildProcess, agents: Iterable[ChildProcess], say: Say) -> None:
    """Report each round as it ends, until the aggregator ends; raise DemoError where it or an agent fails."""
    agents = list(agents)
    end, count = time.monotonic() + ROUND_TIMEOUT_S, 0
    while aggregator.running:
        if time.monotonic() > end:
            last = f"{last_line(aggregator.log)} ({aggregator.log})"
            raise DemoError(f"round {count + 1} did not end within {ROUND_TIMEOUT_S:g} s: {last}")
        for agent in agents:
            agent.check()
        time.sleep(0.5)
        before, count = count, _say_rounds(database, count, say)
        if count > before:
            end = time.monotonic() + ROUND_TIMEOUT_S
    if aggregator.wait(1):
        aggregator.check()
    _say_rounds(database, count, say)


def _say_rounds(database: Path, count: int, say: Say) -> int:
    """Report the ended rounds after the first `count`, as the aggregator committed them; return their number."""
    if not database.exists():
        return count
    try:
        with closing(sqlite3.connect(f"{database.resolve().as_uri()}?mode=ro", uri=True, timeout=1)) as connection:
            rows = connection.execute(ENDED_ROUNDS).fetchall()
    except sqlite3.OperationalError:  # the aggregator has just begun, or is writing
        return count
    for number, outcome, before, after, reason in rows[count:]:
        figures = "" if after is None else f", UAR {100 * before:.1f} -> {100 * after:.1f} %"
        why = f" ({reason})" if outcome != "kept" and reason else ""
        say(f"    round {number}: {outcome}{figures}{why}")
    return len(rows)
