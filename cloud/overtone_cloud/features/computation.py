"""Computes the features of recordings: in this process, in several processes, or on a Ray cluster.

Each way yields an outcome per recording as soon as it is computed.
"""

import os
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from overtone_cloud.corpora import audio
from overtone_cloud.errors import AudioError, ConfigError, TrainingError
from overtone_models.errors import FrontEndError
from overtone_models.features.registry import spec_from_json
from overtone_models.features.spec import Feature
from overtone_models.front_end import F32

Outcome = F32 | str
"""A feature, or in one line why there is none: an unreadable file must not end a corpus' extraction."""
Outcomes = Iterator[tuple[Path, Outcome]]

CHUNK = 4
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
WAITING = 64
"""Recordings in Ray's memory at a time."""


def compute_file(path: Path, spec: Feature) -> Outcome:
    """Return the feature of the sound in `path`."""
    try:
        return spec.compute(audio.load(path, sample_rate_hz=spec.sample_rate_hz))
    except AudioError as error:
        return str(error)
    except FrontEndError as error:
        return f"{path}: {error}"


def compute_bytes(data: bytes, path: str, spec: dict[str, Any]) -> Outcome:
    """Return the feature of a file's bytes, on a machine that need not have access to the disk of `path`."""
    with tempfile.TemporaryDirectory(prefix="overtone-") as folder:
        copy = Path(folder) / "recording"
        copy.write_bytes(data)
        outcome = compute_file(copy, spec_from_json(spec))
    return outcome.replace(str(copy), path) if isinstance(outcome, str) else outcome


def in_this_process(paths: Sequence[Path], spec: Feature) -> Outcomes:
    """Yield each recording's outcome, computed in this process."""
    for path in paths:
        yield path, compute_file(path, spec)


def in_processes(paths: Sequence[Path], spec: Feature, jobs: int) -> Outcomes:
    """Yield each recording's outcome, computed by `jobs` processes."""
    # Not forked: this process may hold TensorFlow's threads, which a fork would leave with their locks taken.
    with _single_threaded_children(), ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        try:
            yield from zip(paths, pool.map(partial(compute_file, spec=spec), paths, chunksize=CHUNK), strict=True)
        except BrokenProcessPool as error:
            raise TrainingError(
                f"{spec.name}: a process that computes features was killed (out of memory?); use fewer than {jobs} jobs"
            ) from error
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


@contextmanager
def _single_threaded_children() -> Iterator[None]:
    """Limit child processes to one thread of linear algebra each: more would only wait for each other."""
    before = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def on_ray(paths: Sequence[Path], spec: Feature, address: str, jobs: int) -> Outcomes:
    """Yield each recording's outcome in the order they finish, computed by the Ray cluster at `address`.

    The files' bytes are sent along, so its machines need this package but not this disk.
    """
    ray = _ray()
    owns_ray = not ray.is_initialized()
    if owns_ray:
        _connect(ray, address, jobs)
    try:
        yield from _ray_outcomes(ray, paths, spec)
    except ray.exceptions.RayError as error:
        raise TrainingError(f"{spec.name}: Ray at {address} failed: {_first_line(error)}") from error
    finally:
        if owns_ray:
            ray.shutdown()


def _ray_outcomes(ray: Any, paths: Sequence[Path], spec: Feature) -> Outcomes:
    remote, parameters, queue = ray.remote(compute_bytes), spec.to_json(), iter(paths)
    waiting: dict[Any, Path] = {}
    while True:
        for path in islice(queue, WAITING - len(waiting)):
            try:
                waiting[remote.remote(path.read_bytes(), str(path), parameters)] = path
            except OSError as error:
                yield path, f"{path}: {error.strerror or error}"
        if not waiting:
            return
        for done in ray.wait(list(waiting), num_returns=1)[0]:
            yield waiting.pop(done), ray.get(done)


def _ray() -> Any:
    try:
        import ray
        import ray.exceptions
    except ImportError as error:
        raise ConfigError("the library ray is not installed; pip install 'overtone[scale]'") from error
    return ray


def _connect(ray: Any, address: str, jobs: int) -> None:
    own = {"num_cpus": jobs, "include_dashboard": False} if address == "local" else {}
    try:
        ray.init(address=address, log_to_driver=False, logging_level="error", **own)
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        raise ConfigError(f"no Ray cluster at {address!r}: {_first_line(error)}") from error


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
