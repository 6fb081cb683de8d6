"""What the measurements share: one thread, the machine, turns that are taken fairly, the bundle, the sound."""

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
LIBRARIES = ("OMP", "OPENBLAS", "MKL", "NUMBA")
ONE_THREAD = {
    **{f"{library}_NUM_THREADS": "1" for library in LIBRARIES},
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
}


def one_thread() -> None:
    """Start this script again with one thread a library; they read the environment when they are loaded."""
    paths = [str(ROOT / folder) for folder in ("protocol", "models", "converters", "edge")]
    wanted = {**ONE_THREAD, "TF_CPP_MIN_LOG_LEVEL": "3"}
    if all(os.environ.get(name) == value for name, value in wanted.items()):
        sys.path.extend(path for path in paths if path not in sys.path)
        return
    sys.stdout.flush()
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], {**os.environ, **wanted})


def parser(description: str | None) -> argparse.ArgumentParser:
    """Return a parser with the arguments that every measurement takes."""
    result = argparse.ArgumentParser(description=description)
    result.add_argument("--bundle", type=Path, metavar="FILE", help="signed or not (default: small, random weights)")
    result.add_argument("--wav", type=Path, metavar="FILE", help="speech (default: the bundle's golden clip)")
    result.add_argument("--seconds", type=float, default=10.0, help="of sound, repeated where it is shorter")
    result.add_argument("--rounds", type=int, default=50, help="turns that each candidate takes (default 50)")
    return result


def open_bundle(path: Path | None) -> Any:
    """Return the bundle in a file, or a small one with random weights."""
    from overtone_edge.bench import open_bundle as opened

    if path is not None:
        return opened(path, None).bundle
    from overtone_converters.testing import tiny_bundle

    with tempfile.NamedTemporaryFile() as file:
        file.write(tiny_bundle())
        file.flush()
        return opened(Path(file.name), None).bundle


def sound(arguments: argparse.Namespace, bundle: Any) -> Any:
    """Return `seconds` of 16 kHz float32 sound."""
    import numpy as np

    from overtone_edge.bench import read_clip

    clip = read_clip(arguments.wav, bundle, arguments.seconds)
    return np.resize(clip, round(arguments.seconds * 16_000)).astype(np.float32)


def side_by_side(candidates: dict[str, Callable[[], Any]], rounds: int) -> dict[str, dict[str, float]]:
    """Return the spread of each candidate's time in ms; they take turns, after two turns to warm up.

    Taking turns spreads what else the machine does over all of them.
    """
    from overtone_edge.bench_figures import spread

    times_ms: dict[str, list[float]] = {name: [] for name in candidates}
    for number in range(rounds + 2):
        for name, candidate in candidates.items():
            before_ns = time.perf_counter_ns()
            candidate()
            if number >= 2:
                times_ms[name].append((time.perf_counter_ns() - before_ns) / 1e6)
    return {name: spread(values) for name, values in times_ms.items()}


def librosa_mfcc(samples: Any, spec: Any) -> Any:
    """Return librosa's `(frames, n_mfcc)` for the same parameters, not clipped against the loudest frame."""
    import librosa

    power = librosa.feature.melspectrogram(
        y=samples,
        sr=spec.sample_rate_hz,
        n_fft=spec.fft_samples,
        win_length=spec.window_samples,
        hop_length=spec.hop_samples,
        center=False,
        n_mels=spec.n_mels,
        fmin=spec.fmin_hz,
        fmax=spec.fmax_hz,
    )
    decibels = librosa.power_to_db(power, ref=1.0, amin=spec.floor_power, top_db=None)
    return librosa.feature.mfcc(S=decibels, n_mfcc=spec.n_mfcc).T


def print_report(name: str, bundle: Any, figures: dict[str, Any]) -> None:
    """Print the measurement as JSON, with the machine and the versions of what took part."""
    from importlib.metadata import version

    from overtone_edge.bench_machine import describe
    from overtone_edge.runtime import runtime_name

    loaded = [package for package in ("numpy", "librosa", "tensorflow") if package in sys.modules]
    report = {
        "benchmark": name,
        "machine": describe(),
        "threads": 1,
        "versions": {"runtime": runtime_name(), **{package: version(package) for package in loaded}},
        "python": platform.python_version(),
        "bundle": {
            "name": bundle.manifest.name,
            "weights": int(bundle.weights.size),
            "network": bundle.manifest.network.to_json(),
        },
        **figures,
    }
    print(json.dumps(report, indent=1))
