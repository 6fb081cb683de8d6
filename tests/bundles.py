"""Small bundles with random weights for tests that need no TensorFlow, and the generator of the committed file.

    python -m tests.bundles            converts tiny networks, writes tests/data/bundles.tar.xz
    python -m tests.bundles --check    compares the file with what conversion gives now

`tiny-1`, `tiny-2` and `tiny-3` are versions of one streaming network with different weights; `two-inputs`, `lstm` and
`text` are window networks. All are unsigned.
"""

import argparse
import io
import json
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from overtone_models.archive import unpack
from overtone_models.bundle import MANIFEST, MAX_BYTES, Bundle, read_bundle
from overtone_models.front_end import F32, mfcc

FILE = Path(__file__).with_name("data") / "bundles.tar.xz"
LABELS = ("neutral", "happy", "sad", "angry")
STREAMING = {"tiny-1": (LABELS, 0, 1), "tiny-2": (LABELS, 1, 2), "tiny-3": (LABELS, 2, 3)}
"""Labels, seed of the weights and version of each streaming network."""
WINDOWS = ("two-inputs", "lstm", "text")
PROBABILITIES = 1e-3
"""Processors round differently while a network is quantised; everything else is the same to the bit."""


@cache
def committed_bundles(file: Path = FILE) -> dict[str, bytes]:
    """Return the unsigned bundles of the committed file by name."""
    with tarfile.open(file, "r:xz") as archive:
        return {member.name: _content(archive, member) for member in archive}


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = archive.extractfile(member)
    assert file is not None, f"{member.name} is no file"
    return file.read()


def convert_bundles() -> dict[str, bytes]:
    """Return the bundles by name as conversion gives them now; needs TensorFlow."""
    from tests.support.window_networks import tiny_window_bundle

    bundles = dict(_streaming_bundles())
    with tempfile.TemporaryDirectory() as folder:
        for kind in WINDOWS:
            bundles[kind] = tiny_window_bundle(Path(folder) / kind, kind)
    return bundles


def _streaming_bundles() -> Iterator[tuple[str, bytes]]:
    """Yield name and bundle; all have the golden clip of seed 0, which the compressed file then holds once."""
    from tests.support.tiny_models import tiny_model

    from overtone_converters.build import build_bundle

    clip = (0.1 * np.random.default_rng(0).normal(size=16_000)).astype(np.float32)
    created = datetime(2026, 1, 1, tzinfo=UTC)
    for name, (labels, seed, version) in STREAMING.items():
        model = tiny_model(labels, seed)
        calibration = [mfcc(clip, model.front_end)]
        yield name, build_bundle(model, calibration, clip, name="tiny", version=version, created=created)


def write(bundles: dict[str, bytes], file: Path = FILE) -> None:
    """Write bundles into one compressed file, in which what they have in common takes no space."""
    file.parent.mkdir(exist_ok=True)
    with tarfile.open(file, "w:xz", preset=9) as archive:
        for name, data in bundles.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))


def differences(stored: dict[str, bytes], converted: dict[str, bytes]) -> Iterator[str]:
    """Yield a line for each bundle that is on one side only, and for each part of one that differs."""
    from tests import golden

    for name in sorted(set(stored) | set(converted)):
        if name not in stored or name not in converted:
            yield f"{name}: only in the {'file' if name in stored else 'code'}"
        elif stored[name] != converted[name]:
            yield from golden.differences(_manifest(stored[name]), _manifest(converted[name]), name)
            for part in _different_parts(read_bundle(stored[name]), read_bundle(converted[name])):
                yield f"{name}: {part}"


def _manifest(data: bytes) -> dict[str, Any]:
    """Return the manifest without the digests of the files."""
    manifest: dict[str, Any] = json.loads(unpack(data, MAX_BYTES)[MANIFEST])
    return {**manifest, "files": sorted(manifest["files"])}


def _different_parts(stored: Bundle, converted: Bundle) -> Iterator[str]:
    if stored.streaming_model == converted.streaming_model:
        yield "the bytes differ, though the network that listens is the same"
    for part in ("weights", "standardise_mean", "standardise_scale", "golden_samples"):
        if not np.array_equal(getattr(stored, part), getattr(converted, part)):
            yield f"{part} differ"
    if stored.training_model != converted.training_model:
        yield "the training graph differs"
    if not _close(stored.golden_probabilities, converted.golden_probabilities):
        yield f"golden_probabilities differ by more than {PROBABILITIES}"


def _close(a: F32, b: F32) -> bool:
    return a.shape == b.shape and np.abs(a - b).max() <= PROBABILITIES


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bundles", description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare and write nothing")
    if not parser.parse_args(argv).check:
        write(convert_bundles())
        return 0
    lines = list(differences(committed_bundles(), convert_bundles()))
    for line in lines:
        print(line)
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
