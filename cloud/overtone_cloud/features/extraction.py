"""Features of a corpus: what is cached is read, the rest computed on every core or by Ray's machines."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from time import monotonic

from overtone_cloud.corpora.utterance import Utterance
from overtone_cloud.errors import AudioError, ConfigError
from overtone_cloud.features import cache as kept
from overtone_cloud.features.pools import Outcomes, here, in_processes, on_ray
from overtone_cloud.features.recording import Outcome
from overtone_models.features.spec import Feature
from overtone_models.front_end import F32

Log = Callable[[str], None]
Progress = Callable[[int, int], None]
"""Called with how many recordings are computed, of how many."""

FEW = 16
"""So few recordings are computed in this process: others would take longer to start."""
NAMED = 10
PROGRESS_S = 5.0


def no_log(_line: str) -> None:
    """Say nothing."""


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
    """Return each utterance's feature, in order; None where its file cannot be read or taken, which `log` names.

    Features are kept in `cache` (None: the user's) as they come, so an interrupted extraction goes on.
    `jobs` processes compute them or, with `ray`, the cluster at that address ("local" starts one here).
    """
    if jobs < 1:
        raise ConfigError(f"jobs is {jobs}, it must be at least 1")
    folder = cache or kept.cache_directory()
    keys, outcomes = _keys([u.path for u in utterances], spec)
    features, missing = _read(keys, folder)
    if missing:
        log(f"{spec.name}: {len(missing)} of {len(keys)} recordings to compute")
        computing = _computing(list(missing), spec, jobs, ray)
        features |= _keep(_counted(computing, len(missing), progress), missing, folder, spec.name, log)
    outcomes |= {path: features[key] for path, key in keys.items()}
    _name_lost(outcomes, spec.name, log)
    found = (outcomes[u.path] for u in utterances)
    return [None if isinstance(outcome, str) else outcome for outcome in found]


def _keys(paths: Sequence[Path], spec: Feature) -> tuple[dict[Path, str], dict[Path, Outcome]]:
    """Return each file's key, and why others have none."""
    keys: dict[Path, str] = {}
    lost: dict[Path, Outcome] = {}
    for path in dict.fromkeys(paths):
        try:
            keys[path] = kept.key_of(path, spec)
        except AudioError as error:
            lost[path] = str(error)
    return keys, lost


def _read(keys: Mapping[Path, str], folder: Path) -> tuple[dict[str, Outcome], dict[Path, str]]:
    """Return the cached features by key, and a file with the key of each that is not there."""
    features: dict[str, Outcome] = {}
    missing: dict[str, Path] = {}
    for path, key in keys.items():
        if key in features or key in missing:
            continue
        stored = kept.read(folder, key)
        if stored is None:
            missing[key] = path
        else:
            features[key] = stored
    return features, {path: key for key, path in missing.items()}


def _computing(paths: Sequence[Path], spec: Feature, jobs: int, ray: str | None) -> Outcomes:
    if ray is not None:
        return on_ray(paths, spec, ray, jobs)
    if jobs == 1 or len(paths) <= FEW:
        return here(paths, spec)
    return in_processes(paths, spec, jobs)


def _counted(computing: Outcomes, count: int, progress: Progress | None) -> Outcomes:
    for done, outcome in enumerate(computing, 1):
        yield outcome
        if progress:
            progress(done, count)


def _keep(computing: Outcomes, keys: Mapping[Path, str], folder: Path, name: str, log: Log) -> dict[str, Outcome]:
    """Return what is computed, kept in the cache as it comes."""
    done: dict[str, Outcome] = {}
    said_s = monotonic()
    for path, outcome in computing:
        done[keys[path]] = outcome
        if not isinstance(outcome, str):
            kept.write(folder, keys[path], outcome)
        if monotonic() - said_s >= PROGRESS_S or len(done) == len(keys):
            said_s = monotonic()
            log(f"{name}: {len(done)} of {len(keys)} recordings computed")
    return done


def _name_lost(outcomes: Mapping[Path, Outcome], name: str, log: Log) -> None:
    reasons = [outcome for outcome in outcomes.values() if isinstance(outcome, str)]
    if reasons:
        more = f"; and {len(reasons) - NAMED} more" if len(reasons) > NAMED else ""
        log(f"{name}: {len(reasons)} of {len(outcomes)} recordings left out: {'; '.join(reasons[:NAMED])}{more}")
