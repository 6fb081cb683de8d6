"""Golden files: numbers that must stay as they are, and their generator.

    python -m tests.golden            writes tests/golden/*.json anew
    python -m tests.golden --check    compares them with what the code gives now

Whoever changes one changes what devices in the field hear or send: the digest of a front end, of a
layout or of weights is part of the protocol.
"""

import argparse
import json
import math
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from overtone_cloud.corpora.registry import CORPORA
from overtone_models.calibration import (
    Calibration,
    expected_calibration_error,
    fit_temperature,
    fit_threshold,
    negative_log_likelihood,
)
from overtone_models.front_end import FrontEndSpec, dct_matrix, log_mel, mel_filters, mfcc
from overtone_models.labels import EMOTIONS
from overtone_models.layout import weights_digest
from overtone_models.network_spec import SIZES, EdgeTcnSpec, edge_tcn

FOLDER = Path(__file__).with_name("golden")
DECIBELS = 1e-3
"""Numbers may differ by this from machine to machine (rounding of the FFT); everything else not at all."""


def signal() -> np.ndarray:
    """Return 0.4 s at 16 kHz, float32: a rising tone, a square wave and silence, without any random generator."""
    t = np.arange(6_400) / 16_000
    rising = 0.4 * np.sin(2 * np.pi * (150 * t + 3_000 * t * t))
    square = 0.05 * np.sign(np.sin(2 * np.pi * 310 * t))
    return np.where(t < 0.3, rising + square, 0.0).astype(np.float32)


def front_end() -> dict[str, Any]:
    """MFCC of the signal, and the digests by which front ends are recognised."""
    spec, other = FrontEndSpec(), FrontEndSpec(n_mels=40, n_mfcc=13, fmin_hz=0.0, fmax_hz=8_000.0, window_samples=400)
    return {
        "digest": spec.digest,
        "other_digest": other.digest,
        "frames": spec.frames(6_400),
        "mfcc": mfcc(signal(), spec)[::6].tolist(),
        "other_mfcc": mfcc(signal(), other)[::6].tolist(),
        "log_mel": log_mel(signal(), spec)[::12].tolist(),
        "filter_areas": mel_filters(spec).sum(0)[::8].tolist(),
        "dct_corner": dct_matrix(spec)[:3, :3].tolist(),
    }


def layouts() -> dict[str, Any]:
    """Digests and sizes of the networks' layouts, and of weights."""
    specs = {size: edge_tcn(size, n_features=40, n_classes=8) for size in SIZES}
    specs["dense"] = EdgeTcnSpec(channels=32, separable=False)
    made: dict[str, Any] = {
        name: {
            "digest": spec.layout.digest,
            "size": spec.layout.size,
            "head": spec.layout.head_slice.start,
            "multiply_adds_3_s": spec.multiply_adds(300),
        }
        for name, spec in specs.items()
    }
    counted = np.arange(1000, dtype=np.float32) / np.float32(7)
    return {**made, "weights_digest": weights_digest(counted)}


def calibration() -> dict[str, Any]:
    """Temperature, threshold, loss and calibration error of made-up logits."""
    angles = np.arange(240).reshape(60, 4) * 0.7
    targets = np.arange(60) * 7 % 4
    logits = (3 * np.sin(angles) + 2 * np.eye(4)[targets]).astype(np.float32)
    temperature = fit_temperature(logits, targets)
    probabilities = Calibration(temperature=temperature).probabilities(logits)
    return {
        "temperature": temperature,
        "loss": negative_log_likelihood(logits, targets, temperature),
        "error": expected_calibration_error(probabilities, targets),
        "threshold": fit_threshold(probabilities, targets, 0.9),
        "probabilities": probabilities[::12].tolist(),
    }


def labels() -> dict[str, Any]:
    """The order of probability vectors, and the corpora's own codes."""
    return {"emotions": list(EMOTIONS), "corpora": {name: dict(corpus.labels) for name, corpus in CORPORA.items()}}


GENERATORS: dict[str, Callable[[], dict[str, Any]]] = {
    "front_end": front_end,
    "layouts": layouts,
    "calibration": calibration,
    "labels": labels,
}


def differences(stored: Any, made: Any, where: str) -> Iterator[str]:
    """Yield a line for each value that differs; numbers that are not whole may differ by `DECIBELS`."""
    if isinstance(stored, dict) and isinstance(made, dict):
        for key in sorted(set(stored) | set(made)):
            if key not in stored or key not in made:
                yield f"{where}.{key}: only in the {'code' if key in made else 'file'}"
            else:
                yield from differences(stored[key], made[key], f"{where}.{key}")
    elif isinstance(stored, list) and isinstance(made, list) and len(stored) == len(made):
        for index, (a, b) in enumerate(zip(stored, made, strict=True)):
            yield from differences(a, b, f"{where}[{index}]")
    elif isinstance(stored, float) and isinstance(made, float):
        if not math.isclose(stored, made, rel_tol=0.0, abs_tol=DECIBELS):
            yield f"{where}: file {stored!r}, code {made!r}"
    elif type(stored) is not type(made) or stored != made:
        yield f"{where}: file {stored!r}, code {made!r}"


def check(folder: Path = FOLDER) -> list[str]:
    """Return a line for each value in which files and code differ."""
    found: list[str] = []
    for name, generate in GENERATORS.items():
        path = folder / f"{name}.json"
        if not path.is_file():
            found.append(f"{path.name} is missing")
            continue
        made = json.loads(json.dumps(generate()))
        found += differences(json.loads(path.read_text()), made, name)
    found += [f"{path.name} has no generator" for path in sorted(folder.iterdir()) if path.stem not in GENERATORS]
    return found


def write(folder: Path = FOLDER) -> None:
    """Write every golden file anew."""
    folder.mkdir(exist_ok=True)
    for name, generate in GENERATORS.items():
        (folder / f"{name}.json").write_text(json.dumps(rounded(generate()), indent=1, sort_keys=True) + "\n")


def rounded(value: Any) -> Any:
    """Return the value with numbers rounded to six digits after the point."""
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [rounded(item) for item in value]
    return round(value, 6) if isinstance(value, float) else value


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.golden", description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare and write nothing")
    if not parser.parse_args(argv).check:
        write()
        return 0
    found = check()
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
