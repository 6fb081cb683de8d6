"""A bundle: everything a device needs of one model, as one file whose digest names it.

A zip (stored, not compressed, so that what is read is what was hashed) with `bundle.json` and the
files it lists with their SHA-256. Signing wraps this file (TUF metadata); nothing here trusts it.
"""

import io
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from overtone_models.archive import pack, unpack
from overtone_models.calibration import Calibration
from overtone_models.digests import digest_bytes
from overtone_models.errors import BundleError, ModelError
from overtone_models.front_end import F32, FrontEndSpec
from overtone_models.gate import GateSpec
from overtone_models.labels import EMOTIONS
from overtone_models.layout import WeightLayout, weights_digest
from overtone_models.network_spec import EdgeTcnSpec

FORMAT = 1
MANIFEST = "bundle.json"
STREAMING, TRAINING, WEIGHTS = "streaming.tflite", "training.tflite", "weights.npy"
STANDARDISE, GOLDEN_PCM, GOLDEN_PROBABILITIES = "standardise.npy", "golden.npy", "golden_probabilities.npy"
FILES = (STREAMING, TRAINING, WEIGHTS, STANDARDISE, GOLDEN_PCM, GOLDEN_PROBABILITIES)
MAX_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What `bundle.json` says."""

    name: str
    version: int
    created: str
    labels: tuple[str, ...]
    front_end: FrontEndSpec
    gate: GateSpec
    network: EdgeTcnSpec
    calibration: Calibration
    base_round: int
    lineage: Mapping[str, str]
    licence: str
    label_smoothing: float = 0.0
    """Part of each training target that is spread over all labels; devices learn with the same."""

    @property
    def layout(self) -> WeightLayout:
        """Layout of the flat weights."""
        return self.network.layout

    def to_json(self) -> dict[str, Any]:
        """Return a JSON form that `from_json` reads."""
        return {
            "format": FORMAT,
            "name": self.name,
            "version": self.version,
            "created": self.created,
            "labels": list(self.labels),
            "front_end": {**asdict(self.front_end), "digest": self.front_end.digest},
            "gate": asdict(self.gate),
            "network": self.network.to_json(),
            "layout": {**self.layout.to_json(), "digest": self.layout.digest},
            "calibration": asdict(self.calibration),
            "base_round": self.base_round,
            "lineage": dict(self.lineage),
            "licence": self.licence,
            "label_smoothing": self.label_smoothing,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Manifest":
        """Return the manifest that `to_json` wrote; raise BundleError naming what does not fit."""
        if data.get("format") != FORMAT:
            raise BundleError(f"bundle format is {data.get('format')!r}, this software reads {FORMAT}")
        try:
            front_end = dict(data["front_end"])
            front_end_digest = front_end.pop("digest")
            manifest = cls(
                name=str(data["name"]),
                version=int(data["version"]),
                created=str(data["created"]),
                labels=tuple(map(str, data["labels"])),
                front_end=FrontEndSpec(**front_end),
                gate=GateSpec(**data["gate"]),
                network=EdgeTcnSpec.from_json(data["network"]),
                calibration=Calibration(**data["calibration"]),
                base_round=int(data["base_round"]),
                lineage={str(k): str(v) for k, v in dict(data["lineage"]).items()},
                licence=str(data["licence"]),
                label_smoothing=float(data["label_smoothing"]),
            )
            layout_digest = data["layout"]["digest"]
        except ModelError as error:
            raise BundleError(f"{MANIFEST}: {error}") from error
        except (KeyError, TypeError, ValueError) as error:
            raise BundleError(f"{MANIFEST} has no valid field: {error!r}") from error
        manifest.check(front_end_digest, layout_digest)
        return manifest

    def check(self, front_end_digest: str, layout_digest: str) -> None:
        """Raise BundleError where the parts do not belong together."""
        if front_end_digest != self.front_end.digest:
            raise BundleError(
                f"front end digest is {self.front_end.digest[:12]}, the bundle says {front_end_digest[:12]}"
            )
        if layout_digest != self.layout.digest:
            raise BundleError(f"layout digest is {self.layout.digest[:12]}, the bundle says {layout_digest[:12]}")
        if len(self.labels) != self.network.n_classes or not set(self.labels) <= set(EMOTIONS):
            raise BundleError(f"labels {list(self.labels)} do not fit a network of {self.network.n_classes} classes")
        if self.network.n_features != self.front_end.n_mfcc:
            raise BundleError(
                f"the network takes {self.network.n_features} features, the front end gives {self.front_end.n_mfcc}"
            )
        if not 0.0 <= self.label_smoothing < 1.0:
            raise BundleError(f"label_smoothing is {self.label_smoothing}, limit is 0 <= label_smoothing < 1")
        if not 1 <= self.version < 2**31:
            raise BundleError(f"version is {self.version}, limit is 1..2147483647")


@dataclass(frozen=True, eq=False)
class Bundle:
    """A bundle whose files have the sizes and digests that its manifest lists."""

    manifest: Manifest
    digest: str
    weights: F32
    standardise_mean: F32
    standardise_scale: F32
    streaming_model: bytes
    training_model: bytes
    golden_samples: F32
    golden_probabilities: F32

    @cached_property
    def base(self) -> str:
        """Digest of the flat weights: what rounds call the base."""
        return weights_digest(self.weights)

    @property
    def head(self) -> F32:
        """The base head's flat weights."""
        return self.weights[self.manifest.layout.head_slice]

    def standardise(self, mfcc: F32) -> F32:
        """Return `(frames, n_mfcc)` with the training data's mean and deviation taken out."""
        result: F32 = (mfcc - self.standardise_mean) * self.standardise_scale
        return result


def write_bundle(
    manifest: Manifest,
    *,
    weights: F32,
    standardise_mean: F32,
    standardise_scale: F32,
    streaming_model: bytes,
    training_model: bytes,
    golden_samples: F32,
    golden_probabilities: F32,
) -> bytes:
    """Return the bundle file's bytes; equal inputs give equal bytes."""
    pcm = np.clip(np.rint(golden_samples * 32768.0), -32768, 32767).astype("<i2")
    files = {
        STREAMING: streaming_model,
        TRAINING: training_model,
        WEIGHTS: _npy(weights.astype("<f4")),
        STANDARDISE: _npy(np.stack([standardise_mean, standardise_scale]).astype("<f4")),
        GOLDEN_PCM: _npy(pcm),
        GOLDEN_PROBABILITIES: _npy(golden_probabilities.astype("<f4")),
    }
    entries = {name: {"bytes": len(data), "sha256": digest_bytes(data)} for name, data in files.items()}
    text = json.dumps({**manifest.to_json(), "files": entries}, sort_keys=True, indent=1)
    return pack({MANIFEST: text.encode(), **files})


def read_bundle(data: bytes) -> Bundle:
    """Return the bundle in `data`; raise BundleError for anything that is not whole and consistent."""
    text, files = _open(data)
    try:
        listed = json.loads(text)
        entries = {name: (int(listed["files"][name]["bytes"]), str(listed["files"][name]["sha256"])) for name in FILES}
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise BundleError(f"{MANIFEST} does not list its files: {error!r}") from error
    for name, (size, digest) in entries.items():
        if len(files[name]) != size or digest_bytes(files[name]) != digest:
            raise BundleError(f"{name} in the bundle is not the file that {MANIFEST} lists")
    manifest = Manifest.from_json(listed)
    return _assemble(manifest, digest_bytes(data), files)


def _open(data: bytes) -> tuple[bytes, dict[str, bytes]]:
    entries = unpack(data, MAX_BYTES)
    if set(entries) != {MANIFEST, *FILES}:
        raise BundleError(f"bundle holds {sorted(entries)}, it must hold {sorted((MANIFEST, *FILES))}")
    return entries.pop(MANIFEST), entries


def _assemble(manifest: Manifest, digest: str, files: dict[str, bytes]) -> Bundle:
    weights = _array(WEIGHTS, files[WEIGHTS], np.float32, (manifest.layout.size,))
    standardise = _array(STANDARDISE, files[STANDARDISE], np.float32, (2, manifest.front_end.n_mfcc))
    pcm = _array(GOLDEN_PCM, files[GOLDEN_PCM], np.int16, (-1,))
    golden = _array(GOLDEN_PROBABILITIES, files[GOLDEN_PROBABILITIES], np.float32, (-1, len(manifest.labels)))
    return Bundle(
        manifest=manifest,
        digest=digest,
        weights=weights,
        standardise_mean=standardise[0],
        standardise_scale=standardise[1],
        streaming_model=files[STREAMING],
        training_model=files[TRAINING],
        golden_samples=(pcm / np.float32(32768.0)).astype(np.float32),
        golden_probabilities=golden,
    )


def _npy(array: NDArray[Any]) -> bytes:
    out = io.BytesIO()
    np.save(out, array, allow_pickle=False)
    return out.getvalue()


def _array(name: str, data: bytes, dtype: type, shape: tuple[int, ...]) -> Any:
    try:
        array = np.load(io.BytesIO(data), allow_pickle=False)
    except (ValueError, EOFError, OSError, MemoryError) as error:
        raise BundleError(f"{name} in the bundle is not an array: {error}") from error
    if not isinstance(array, np.ndarray):
        raise BundleError(f"{name} in the bundle is not an array")
    fits = array.ndim == len(shape) and all(want in (-1, got) for want, got in zip(shape, array.shape, strict=True))
    if array.dtype != dtype or not fits:
        raise BundleError(f"{name} holds {array.dtype} of shape {array.shape}, it must be {dtype.__name__} of {shape}")
    if dtype is np.float32 and not math.isfinite(float(np.abs(array).sum(dtype=np.float64))):
        raise BundleError(f"{name} holds a value that is not finite")
    return array
