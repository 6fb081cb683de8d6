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

from overtone_common.audio import SAMPLE_RATE_HZ

ROOT = Path(__file__).resolve().parents[1]
PATHS = [str(ROOT), *(str(ROOT / folder) for folder in ("common", "protocol", "models", "converters", "edge"))]
SIZES = ("tiny", "S", "M", "L")
RANDOM = "M"
LIBRARIES = ("OMP", "OPENBLAS", "MKL", "NUMBA")
ONE_THREAD = {
    **{f"{library}_NUM_THREADS": "1" for library in LIBRARIES},
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
}


def one_thread() -> None:
    """Start this script again with one thread a library; they read the environment when they are loaded."""
    variables = {**ONE_THREAD, "TF_CPP_MIN_LOG_LEVEL": "3"}
    if all(os.environ.get(name) == value for name, value in variables.items()):
        sys.path.extend(path for path in PATHS if path not in sys.path)
        return
    sys.stdout.flush()
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], {**os.environ, **variables})


def parser(description: str | None) -> argparse.ArgumentParser:
    """Return a parser with the arguments that every measurement takes."""
    result = argparse.ArgumentParser(description=description)
    result.add_argument("--bundle", type=Path, metavar="FILE", help="signed or not (default: the pretrained medium)")
    result.add_argument("--wav", type=Path, metavar="FILE", help="speech (default: the bundle's golden clip)")
    result.add_argument("--seconds", type=float, default=10.0, help="of sound, repeated where it is shorter")
    result.add_argument("--rounds", type=int, default=50, help="turns that each candidate takes (default 50)")
    result.add_argument("--size", choices=SIZES, help="a network of this size with random weights instead")
    return result


def one_core() -> None:
    """Keep this process and what it starts on one core, the last of those it may use."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def default_bundle(size: str | None) -> Path | None:
    """Return the pretrained bundle to measure; None where a size is asked for, or none came with the software."""
    from overtone_models.errors import PretrainedError
    from overtone_models.pretrained import find_pretrained

    try:
        return find_pretrained().bundle if size is None else None
    except PretrainedError:
        return None


def open_bundle(path: Path | None, size: str | None = None) -> Any:
    """Return the bundle in a file or the default one, else one with random weights of a size."""
    from overtone_edge.bench.cli import open_bundle as opened

    path = path or default_bundle(size)
    if path is not None:
        return opened(path, None).bundle
    with tempfile.NamedTemporaryFile() as file:
        file.write(random_bundle(size or RANDOM))
        file.flush()
        return opened(Path(file.name), None).bundle


def random_bundle(size: str) -> bytes:
    """Return an unsigned bundle of a size with random weights; `tiny` is what tests use."""
    from tests.support.tiny_models import tiny_bundle

    return tiny_bundle() if size == "tiny" else sized_bundle(size)


def sized_bundle(size: str, *, hop_ms: int = 100, training: bool = True) -> bytes:
    """Return an unsigned bundle of size S, M or L with random weights; without `training` it cannot learn.

    A hop has as many frames of 12.5 ms as fit; a shorter one than 50 ms has the four that the network's strides need.
    """
    from dataclasses import replace

    import numpy as np
    from tests.support.tiny_models import tiny_model

    from overtone_converters.build import build_bundle
    from overtone_models.front_end import EDGE_FRONT_END, mfcc
    from overtone_models.network_spec import edge_tcn

    labels = ("neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised")
    frames = max(4, round(hop_ms / 1000 / EDGE_FRONT_END.hop_s))
    hop_samples = hop_ms * EDGE_FRONT_END.sample_rate_hz // 1000 // frames
    front_end = replace(EDGE_FRONT_END, hop_samples=hop_samples, block_frames=frames)
    network = replace(edge_tcn(size, n_features=front_end.n_mfcc, n_classes=len(labels)), hop_frames=frames)
    random = np.random.default_rng(0)
    weights = {
        t.name: (random.normal(size=t.shape) / np.sqrt(max(1, np.prod(t.shape[:-1])))).astype(np.float32)
        for t in network.layout.tensors
    }
    model = replace(
        tiny_model(labels),
        network=network,
        weights=network.layout.flatten(weights),
        front_end=front_end,
        standardise_mean=np.zeros(front_end.n_mfcc, np.float32),
        standardise_scale=np.ones(front_end.n_mfcc, np.float32),
    )
    clip = (0.1 * random.normal(size=32_000)).astype(np.float32)
    graph = None if training else b"none"
    return build_bundle(
        model, [mfcc(clip, model.front_end)], clip, name=f"random-{size}", version=1, training_graph=graph
    )


def sound(arguments: argparse.Namespace, bundle: Any) -> Any:
    """Return `seconds` of 16 kHz float32 sound."""
    import numpy as np

    from overtone_edge.bench.cli import read_clip

    clip = read_clip(arguments.wav, bundle, arguments.seconds)
    return np.resize(clip, round(arguments.seconds * SAMPLE_RATE_HZ)).astype(np.float32)


def request(folder: Path, bundle: Any, samples: Any, seconds: float) -> Any:
    """Return a request to `overtone_edge.bench.phases`: the bundle and the sound lie in `folder`, the gate is open."""
    import numpy as np

    from overtone_edge.bench.phases import Request

    folder.mkdir(parents=True, exist_ok=True)
    payload, clip = folder / "bundle", folder / "clip.s16"
    payload.write_bytes(bundle.to_bytes())
    clip.write_bytes(np.clip(np.rint(samples * 32768.0), -32768, 32767).astype("<i2").tobytes())
    return Request(payload=str(payload), clip=str(clip), folder=str(folder), seconds=seconds, gate_held_open=True)


def side_by_side(candidates: dict[str, Callable[[], Any]], rounds: int, calls: int = 1) -> dict[str, dict[str, float]]:
    """Return the spread of each candidate's CPU time in ms of a call, all threads; two turns are to warm up.

    Taking turns spreads what else the machine does over all of them, and CPU time leaves out what waits for others. A
    turn is `calls` calls: where one is very short, it would pay for what the candidate before it left in the caches.
    """
    from overtone_edge.bench.figures import spread

    times_ms: dict[str, list[float]] = {name: [] for name in candidates}
    for number in range(rounds + 2):
        for name, candidate in candidates.items():
            before_ns = time.process_time_ns()
            for _ in range(calls):
                candidate()
            if number >= 2:
                times_ms[name].append((time.process_time_ns() - before_ns) / 1e6 / calls)
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
    """Print the measurement as JSON, with the machine and the versions of what took part.

    `targets` among the figures are those of `_targets`.
    """
    from importlib.metadata import version

    from overtone_edge.bench.machine import describe
    from overtone_edge.hearing.runtime import runtime_name
    from overtone_models import loops

    packages = ("numpy", "librosa", "tensorflow", "kaldi_native_fbank")
    loaded = [package for package in packages if package in sys.modules]
    report = {
        "benchmark": name,
        "machine": describe(),
        "threads": 1,
        "loops": loops.KIND,
        "versions": {"runtime": runtime_name(), **{package: version(package) for package in loaded}},
        "python": platform.python_version(),
        "bundle": None if bundle is None else _described(bundle),
        **figures,
    }
    print(json.dumps(report, indent=1))


def _described(bundle: Any) -> dict[str, Any]:
    return {
        "name": bundle.manifest.name,
        "weights": int(bundle.weights.size),
        "network": bundle.manifest.network.to_json(),
    }
