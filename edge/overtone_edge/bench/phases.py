"""Phases of `overtone-bench`, each measured in a fresh process: `python -m overtone_edge.bench.phases PHASE`.

The request is JSON on standard input, the answer the last line of standard output.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from overtone_edge.core.errors import AgentError, JobError
from overtone_models.errors import ModelError


@dataclass(frozen=True, kw_only=True)
class Request:
    """One measurement: `payload` is an unsigned bundle, `clip` 16-bit PCM at 16 kHz, `folder` scratch space."""

    payload: str
    clip: str
    folder: str
    seconds: float
    gate_held_open: bool
    paced: bool = True
    training: bool = False


def measure(phase: str, request: Request, tick: Callable[[float], None] = lambda _s: None) -> dict[str, Any]:
    """Return what a fresh process measured; `tick` is called with the seconds so far. Raises JobError."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    began_ns = time.monotonic_ns()
    process = subprocess.Popen(
        [sys.executable, "-m", "overtone_edge.bench.phases", phase],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
    )
    try:
        out, errors = _communicate(process, json.dumps(asdict(request)).encode(), tick)
    finally:
        process.kill()
        process.wait()
    lines = out.splitlines()
    if process.returncode != 0 or not lines:
        last = errors.decode("utf-8", "replace").strip().splitlines()[-1:]
        raise JobError(last[0][:500] if last else f"measuring {phase} ended with status {process.returncode}")
    return {**json.loads(lines[-1]), "began_ns": began_ns}


def _communicate(process: "subprocess.Popen[bytes]", data: bytes, tick: Callable[[float], None]) -> tuple[bytes, bytes]:
    began = time.monotonic()
    waiting: bytes | None = data
    while True:
        try:
            return process.communicate(waiting, timeout=0.5)
        except subprocess.TimeoutExpired:
            waiting = None
            tick(time.monotonic() - began)


def cold(request: Request) -> dict[str, Any]:
    """Return the moments (monotonic, ns) from the imports of an agent to the first decision."""
    moments = {}

    def record(name: str) -> None:
        moments[name] = time.monotonic_ns()

    import overtone_edge.agent.agent  # noqa: F401 - an agent imports all of it before it listens
    from overtone_edge.bench.hooks import BlockTimer, ClipSource
    from overtone_edge.bench.listening import build_hearing, load
    from overtone_edge.hearing.streaming import open_recogniser

    record("interpreter_and_imports")
    bundle = load(Path(request.payload))
    record("bundle")
    hearing = build_hearing(open_recogniser(bundle), gate_held_open=request.gate_held_open)
    record("network")
    source = ClipSource(Path(request.clip), blocks=100_000, paced=False, timer=BlockTimer())
    for block in source.blocks():
        hearing.process(block)
        if hearing.counters.hops:
            break
    record("first_decision")
    return {"moments_ns": moments}


def listen(request: Request) -> dict[str, Any]:
    """Return the figures of one listening run."""
    import overtone_edge.agent.agent  # noqa: F401 - so that the memory is an agent's
    from overtone_edge.bench.listening import ListeningRun, listen_to, load
    from overtone_edge.bench.training import BackgroundTraining

    bundle = load(Path(request.payload))
    run = ListeningRun(
        clip=Path(request.clip),
        seconds=request.seconds,
        paced=request.paced,
        gate_held_open=request.gate_held_open,
    )
    if not request.training:
        return {**listen_to(bundle, run), "training_cpu_s": None}
    training = BackgroundTraining(bundle, Path(request.payload), run.clip, Path(request.folder))
    training.start()
    try:
        figures = listen_to(bundle, run)
    finally:
        cpu_s = training.stop()
    return {**figures, "training_cpu_s": round(cpu_s, 3)}


def train(request: Request) -> dict[str, Any]:
    """Return the times of training steps."""
    from overtone_edge.bench.listening import load
    from overtone_edge.bench.training import step_times

    return step_times(load(Path(request.payload)))


PHASES = {"cold": cold, "listen": listen, "train": train}


def main() -> int:
    """Measure one phase."""
    try:
        answer = PHASES[sys.argv[1]](Request(**json.loads(sys.stdin.read())))
    except (AgentError, ModelError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{json.dumps(answer)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
