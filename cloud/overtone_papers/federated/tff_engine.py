"""Federated training on TensorFlow Federated, in a subprocess with an environment of its own."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import overtone_cloud
import overtone_common
import overtone_models
from overtone_cloud.errors import ConfigError, TrainingError
from overtone_models.front_end import F32
from overtone_papers.federated.federation import ClientData, Log, Outcome, Plan, Round, orders

WORKER = Path(__file__).with_name("tff_worker.py")
VARIABLE = "OVERTONE_TFF_PYTHON"
POLL_S = 0.2
MEMORY = {"MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(1 << 40)}
"""Keeps freed memory in the process: a round of the Dense network frees and allocates gigabytes in pieces of 100 MB,
and half of its time went into fresh pages."""
HINT = f"run `make setup-tff` in the checkout, name its Python in {VARIABLE}, or give --option engine=own"


def find_python() -> Path | None:
    """Return the Python of the environment that holds TensorFlow Federated, or None where there is none.

    `OVERTONE_TFF_PYTHON` decides; raise ConfigError when it names no file.
    """
    named = os.environ.get(VARIABLE)
    if named:
        if not Path(named).is_file():
            raise ConfigError(f"{VARIABLE} names {named}, which is no file; {HINT}")
        return Path(named)
    beside = (Path(overtone_cloud.__file__).resolve().parents[2], Path(sys.prefix).resolve().parent)
    candidates = [folder / ".venv-tff" / "bin" / "python" for folder in beside]
    return next((path for path in candidates if path.is_file()), None)


def require_python() -> Path:
    """Return the Python of `find_python`; raise ConfigError, which says how to get one, where there is none."""
    python = find_python()
    if python is None:
        raise ConfigError(f"TensorFlow Federated is not installed (no .venv-tff beside the checkout): {HINT}")
    return python


@dataclass(frozen=True, kw_only=True)
class TffEngine:
    """TensorFlow Federated behind a subprocess; `concurrency` clients learn at the same time."""

    python: Path = field(default_factory=require_python)
    concurrency: int = 2

    def run(self, plan: Plan, data: ClientData, weights: Sequence[F32], *, log: Log, name: str) -> Outcome:
        """Return the outcome of `plan.rounds` rounds that start from `weights`, in Keras order.

        Raise TrainingError with the worker's last line.
        """
        with tempfile.TemporaryDirectory(prefix=f"overtone-tff-{os.getpid()}-") as temporary:
            folder = Path(temporary)
            self._prepare(folder, plan, data, weights)
            began, rounds = time.monotonic(), list[Round]()
            for line in self._progress(folder):
                if "started" in line:
                    log(f"{name}: TensorFlow Federated {line['tff']} is there after {line['started']:.0f} s")
                else:
                    rounds.append(Round(**line))
                    log(rounds[-1].line(name, plan.rounds))
            start_s = time.monotonic() - began - sum(each.seconds for each in rounds)
            return Outcome(engine="tff", weights=_weights(folder, name), rounds=rounds, start_seconds=start_s)

    def _prepare(self, folder: Path, plan: Plan, data: ClientData, weights: Sequence[F32]) -> None:
        more = {"clients": len(data.clients), "concurrency": self.concurrency, "parent": os.getpid()}
        (folder / "plan.json").write_text(json.dumps(asdict(plan) | more))
        arrays: dict[str, Any] = {"x": data.x, "y": data.y}
        arrays |= {f"order{index}": order for index, order in enumerate(orders(plan, data))}
        arrays |= {f"weight{index}": weight for index, weight in enumerate(weights)}
        if data.watched is not None:
            arrays |= {"watched_x": data.watched[0], "watched_y": data.watched[1]}
        np.savez(folder / "data.npz", **arrays)
        # The two packages that the worker may see: a whole site-packages would hide its own numpy.
        (folder / "modules").mkdir()
        for package in (overtone_common, overtone_models):
            (folder / "modules" / package.__name__).symlink_to(Path(str(package.__file__)).resolve().parent)

    def _progress(self, folder: Path) -> Iterator[dict[str, Any]]:
        """Yield the worker's progress lines while it runs; raise TrainingError when it fails."""
        path, seen = folder / "progress.jsonl", 0
        with self._worker(folder) as process:
            while True:
                ended = process.poll() is not None
                lines = path.read_text().splitlines(keepends=True) if path.exists() else []
                for text in (line for line in lines[seen:] if line.endswith("\n")):
                    seen += 1
                    yield json.loads(text)
                if ended:
                    break
                time.sleep(POLL_S)
        if process.returncode:
            output = (folder / "worker.log").read_text(errors="replace").strip().splitlines() or ["it said nothing"]
            raise TrainingError(f"TensorFlow Federated ended with status {process.returncode}: {output[-1].strip()}")

    @contextlib.contextmanager
    def _worker(self, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
        """Run the worker in a process group of its own, and end what is left of that group.

        Its output goes to a file: the executor that TensorFlow Federated leaves behind would hold a pipe open.
        """
        variables = {"PYTHONPATH": str(folder / "modules"), "PYTHONDONTWRITEBYTECODE": "1"}
        environment = {**MEMORY, **os.environ, **variables}
        with (folder / "worker.log").open("wb") as output:
            process = subprocess.Popen(
                [self.python, WORKER, folder],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,
            )
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            process.wait()


def _weights(folder: Path, name: str) -> list[F32]:
    with np.load(folder / "result.npz", allow_pickle=False) as stored:
        weights = [stored[f"weight{index}"] for index in range(len(stored.files))]
    if not all(np.isfinite(weight).all() for weight in weights):
        raise TrainingError(f"{name}: the weights are not finite: lower the learning rate")
    return weights
