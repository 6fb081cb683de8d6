"""Where features are computed: here, in several processes, or on Ray's machines. All yield as they go."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from overtone_cloud.errors import ConfigError, TrainingError
from overtone_cloud.features.recording import Outcome, of_bytes, of_file
from overtone_models.features.spec import Feature

Outcomes = Iterator[tuple[Path, Outcome]]

CHUNK = 4
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
WAITING = 64
"""Recordings that lie in Ray's memory at a time."""


def here(paths: Sequence[Path], spec: Feature) -> Outcomes:
    """Yield each recording's outcome, computed in this process."""
    for path in paths:
        yield path, of_file(path, spec)


def in_processes(paths: Sequence[Path], spec: Feature, jobs: int) -> Outcomes:
    """Yield each recording's outcome, computed by `jobs` processes."""
    # Not forked: this process may hold TensorFlow's threads, which a fork would leave with their locks taken.
    with _one_thread_each(), ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        try:
            yield from zip(paths, pool.map(partial(of_file, spec=spec), paths, chunksize=CHUNK), strict=True)
        except BrokenProcessPool as error:
            raise TrainingError(
                f"{spec.name}: a process that computes features was killed (out of memory?); use fewer than {jobs} jobs"
            ) from error
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Start processes with one thread of linear algebra: more would wait for each other, spinning."""
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

    Files are sent along, so its machines need this package but not this disk.
    """
    ray = _ray()
    started = not ray.is_initialized()
    if started:
        _connect(ray, address, jobs)
    try:
        yield from _ray_outcomes(ray, paths, spec)
    except ray.exceptions.RayError as error:
        raise TrainingError(f"{spec.name}: Ray at {address} failed: {_first_line(error)}") from error
    finally:
        if started:
            ray.shutdown()


def _ray_outcomes(ray: Any, paths: Sequence[Path], spec: Feature) -> Outcomes:
    remote, given, queue = ray.remote(of_bytes), spec.to_json(), iter(paths)
    waiting: dict[Any, Path] = {}
    while True:
        for path in islice(queue, WAITING - len(waiting)):
            try:
                waiting[remote.remote(path.read_bytes(), str(path), given)] = path
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
