"""Feature extraction for a corpus: read from the cache, or computed on every core or by a Ray cluster."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from time import monotonic

from overtone_cloud.corpora.utterance import Utterance
from overtone_cloud.errors import AudioError, ConfigError
from overtone_cloud.features.cache import cache_directory, key_of, read_feature, write_feature
from overtone_cloud.features.computation import Outcome, Outcomes, in_processes, in_this_process, on_ray
from overtone_models.features.spec import Feature
from overtone_models.front_end import F32

Log = Callable[[str], None]
Progress = Callable[[int, int], None]
"""Called with the number of recordings computed, and the number of all."""

ALONE_S = 3.0
"""Seconds for which this process computes alone; only where recordings are left then, others are started."""
MAX_REASONS = 10
PROGRESS_S = 5.0


def no_log(_line: str) -> None:
    """Discard a log line."""


def extract(
    utterances: Sequence[Utterance],
    spec: Feature,
    *,
    cache: Path | None = None,
    jobs: int = 2,
    ray: str | None = None,
    log: Log = no_log,
    progress: Progress | None = None,
) -> list[F32 | None]:
    """Return each utterance's feature, in order; None where a file cannot be used, which `log` names.

    Features are cached in `cache` (None: the user's) as they come, so an interrupted extraction goes on.
    `jobs` processes compute them or, with `ray`, the cluster at that address ("local" starts one here).
    """
    if jobs < 1:
        raise ConfigError(f"jobs is {jobs}, it must be at least 1")
    folder = cache or cache_directory()
    keys, outcomes = _keys([u.path for u in utterances], spec)
    features, missing = _read_cached(keys, folder)
    if missing:
        log(f"{spec.name}: {len(missing)} of {len(keys)} recordings to compute")
        outcomes_to_come = _compute(list(missing), spec, jobs, ray)
        features |= _store(_with_progress(outcomes_to_come, len(missing), progress), missing, folder, spec.name, log)
    outcomes |= {path: features[key] for path, key in keys.items()}
    _log_failures(outcomes, spec.name, log)
    in_order = (outcomes[u.path] for u in utterances)
    return [None if isinstance(outcome, str) else outcome for outcome in in_order]


def _keys(paths: Sequence[Path], spec: Feature) -> tuple[dict[Path, str], dict[Path, Outcome]]:
    """Return the cache key of each readable file, and the reason why any other has none."""
    keys: dict[Path, str] = {}
    failures: dict[Path, Outcome] = {}
    for path in dict.fromkeys(paths):
        try:
            keys[path] = key_of(path, spec)
        except AudioError as error:
            failures[path] = str(error)
    return keys, failures


def _read_cached(keys: Mapping[Path, str], folder: Path) -> tuple[dict[str, Outcome], dict[Path, str]]:
    """Return the cached features by key, and a file with the key of each that is not there."""
    features: dict[str, Outcome] = {}
    missing: dict[str, Path] = {}
    for path, key in keys.items():
        if key in features or key in missing:
            continue
        stored = read_feature(folder, key)
        if stored is None:
            missing[key] = path
        else:
            features[key] = stored
    return features, {path: key for key, path in missing.items()}


def _compute(paths: Sequence[Path], spec: Feature, jobs: int, ray: str | None) -> Outcomes:
    if ray is not None:
        return on_ray(paths, spec, ray, jobs)
    return in_this_process(paths, spec) if jobs == 1 else _with_help(paths, spec, jobs)


def _with_help(paths: Sequence[Path], spec: Feature, jobs: int) -> Outcomes:
    """Yield the outcomes of this process, and of `jobs` processes for what is left after `ALONE_S`.

    To start processes takes some seconds, in which one process computes hundreds of recordings of a fast feature.
    """
    started, done = monotonic(), 0
    for outcome in in_this_process(paths, spec):
        yield outcome
        done += 1
        if monotonic() - started >= ALONE_S:
            break
    if done < len(paths):
        yield from in_processes(paths[done:], spec, jobs)


def _with_progress(outcomes: Outcomes, count: int, progress: Progress | None) -> Outcomes:
    for number, outcome in enumerate(outcomes, 1):
        yield outcome
        if progress:
            progress(number, count)


def _store(outcomes: Outcomes, keys: Mapping[Path, str], folder: Path, name: str, log: Log) -> dict[str, Outcome]:
    """Return the computed features by key, written to the cache as they come."""
    computed: dict[str, Outcome] = {}
    logged_s = monotonic()
    for path, outcome in outcomes:
        computed[keys[path]] = outcome
        if not isinstance(outcome, str):
            write_feature(folder, keys[path], outcome)
        if monotonic() - logged_s >= PROGRESS_S or len(computed) == len(keys):
            logged_s = monotonic()
            log(f"{name}: {len(computed)} of {len(keys)} recordings computed")
    return computed


def _log_failures(outcomes: Mapping[Path, Outcome], name: str, log: Log) -> None:
    reasons = [outcome for outcome in outcomes.values() if isinstance(outcome, str)]
    if reasons:
        more = f"; and {len(reasons) - MAX_REASONS} more" if len(reasons) > MAX_REASONS else ""
        log(f"{name}: {len(reasons)} of {len(outcomes)} recordings left out: {'; '.join(reasons[:MAX_REASONS])}{more}")
