"""Bundle files: everything that a device needs of one model, in one file that its digest identifies.

A zip (stored, not compressed, so that what is read is what was hashed) with `bundle.json` and the
files it lists with their SHA-256. Signing wraps this file (TUF metadata); nothing here trusts it.

Format 1 holds a streaming network (`EdgeTcnSpec`); format 2 a window network (`WindowSpec`): its body in place
of the streaming file, the head's weights alone, no front end.
"""

import io
import json
import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from overtone_models.archive import pack, unpack
from overtone_models.digests import digest_bytes, digest_mapping
from overtone_models.errors import BundleError
from overtone_models.front_end import F32
from overtone_models.layout import weights_digest
from overtone_models.manifest import MANIFEST, Manifest
from overtone_models.network import FAMILIES

__all__ = ["MANIFEST", "MAX_BYTES", "Bundle", "Manifest", "as_pcm", "read_bundle"]

TRAINING, WEIGHTS = "training.tflite", "weights.npy"
STANDARDISE, GOLDEN_PCM, GOLDEN_PROBABILITIES = "standardise.npy", "golden.npy", "golden_probabilities.npy"
COMMON_FILES = (TRAINING, WEIGHTS, STANDARDISE, GOLDEN_PCM, GOLDEN_PROBABILITIES)
"""Files of every bundle, besides the manifest and the network's `listening_file`."""
MAX_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, kw_only=True, eq=False)
class Bundle:
    """The parts of a bundle file.

    `streaming_model` is the inference TFLite; of a window network its body, and `standardise_mean` and
    `standardise_scale` are then flat over all inputs.
    """

    manifest: Manifest
    weights: F32
    standardise_mean: F32
    standardise_scale: F32
    streaming_model: bytes
    training_model: bytes
    golden_samples: F32
    golden_probabilities: F32

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the file, hexadecimal: of the file that was read, else of `to_bytes()`."""
        return digest_bytes(self.to_bytes())

    @cached_property
    def base(self) -> str:
        """Digest of the flat weights: what rounds call the base."""
        return weights_digest(self.weights)

    @cached_property
    def reference_key(self) -> str:
        """Digest of what a device's reference depends on: the listening network and the reference's prior."""
        spec = self.manifest.reference
        return digest_mapping(
            {"listening": digest_bytes(self.streaming_model), "reference": None if spec is None else spec.digest}
        )

    @property
    def head(self) -> F32:
        """The base head's flat weights."""
        return self.weights[self.manifest.layout.head_slice]

    def standardise(self, mfcc: F32) -> F32:
        """Return `(frames, n_mfcc)` standardised by the training data's mean and deviation."""
        result: F32 = mfcc - self.standardise_mean
        result *= self.standardise_scale
        return result

    def to_bytes(self) -> bytes:
        """Return the bundle file; equal parts give equal bytes."""
        files = {
            self.manifest.network.listening_file: self.streaming_model,
            TRAINING: self.training_model,
            WEIGHTS: _npy(self.weights.astype("<f4")),
            STANDARDISE: _npy(np.stack([self.standardise_mean, self.standardise_scale]).astype("<f4")),
            GOLDEN_PCM: _npy(_pcm16(self.golden_samples)),
            GOLDEN_PROBABILITIES: _npy(self.golden_probabilities.astype("<f4")),
        }
        entries = {name: {"bytes": len(data), "sha256": digest_bytes(data)} for name, data in files.items()}
        text = json.dumps({**self.manifest.to_json(), "files": entries}, sort_keys=True, indent=1)
        return pack({MANIFEST: text.encode(), **files})


def as_pcm(samples: F32) -> F32:
    """Return samples as a bundle stores its golden clip: rounded to 16 bits, saturated."""
    return _from_pcm16(_pcm16(samples))


def read_bundle(data: bytes) -> Bundle:
    """Return the bundle in `data`; raise BundleError for anything incomplete or inconsistent."""
    text, files = _open(data)
    try:
        manifest_json = json.loads(text)
        entries = {
            name: (int(manifest_json["files"][name]["bytes"]), str(manifest_json["files"][name]["sha256"]))
            for name in files
        }
    except (ArithmeticError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise BundleError(f"{MANIFEST} does not list its files: {error!r}") from error
    for name, (size, digest) in entries.items():
        if len(files[name]) != size or digest_bytes(files[name]) != digest:
            raise BundleError(f"{name} in the bundle is not the file that {MANIFEST} lists")
    bundle = _assemble(Manifest.from_json(manifest_json), files)
    # The cached property of this object alone: `dataclasses.replace` gives one that computes its own.
    vars(bundle)["digest"] = digest_bytes(data)
    return bundle


def _open(data: bytes) -> tuple[bytes, dict[str, bytes]]:
    """Return the manifest's text and the other files of a bundle file."""
    entries = unpack(data, MAX_BYTES)
    listening = [network.listening_file for network in FAMILIES.values()]
    there = next((name for name in listening if name in entries), listening[0])
    expected = {MANIFEST, there, *COMMON_FILES}
    if set(entries) != expected:
        raise BundleError(f"bundle holds {sorted(entries)}, it must hold {sorted(expected)}")
    return entries.pop(MANIFEST), entries


def _assemble(manifest: Manifest, files: dict[str, bytes]) -> Bundle:
    network = manifest.network
    if network.listening_file not in files:
        raise BundleError(f"the network's family does not fit the files {sorted(files)}")
    weights = _array(WEIGHTS, files[WEIGHTS], np.float32, (manifest.layout.size,))
    standardise = _array(STANDARDISE, files[STANDARDISE], np.float32, (2, network.scale_values))
    pcm = _array(GOLDEN_PCM, files[GOLDEN_PCM], np.int16, (-1,))
    golden = _array(GOLDEN_PROBABILITIES, files[GOLDEN_PROBABILITIES], np.float32, (-1, len(manifest.labels)))
    return Bundle(
        manifest=manifest,
        weights=weights,
        standardise_mean=standardise[0],
        standardise_scale=standardise[1],
        streaming_model=files[network.listening_file],
        training_model=files[TRAINING],
        golden_samples=_from_pcm16(pcm),
        golden_probabilities=golden,
    )


def _pcm16(samples: F32) -> NDArray[np.int16]:
    pcm: NDArray[np.int16] = np.clip(np.rint(samples * 32768.0), -32768, 32767).astype("<i2")
    return pcm


def _from_pcm16(pcm: NDArray[np.int16]) -> F32:
    result: F32 = (pcm / np.float32(32768.0)).astype(np.float32)
    return result


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
    fits = array.ndim == len(shape) and all(
        expected in (-1, actual) for expected, actual in zip(shape, array.shape, strict=True)
    )
    if array.dtype != dtype or not fits:
        raise BundleError(f"{name} holds {array.dtype} of shape {array.shape}, it must be {dtype.__name__} of {shape}")
    if dtype is np.float32 and not math.isfinite(float(np.abs(array).sum(dtype=np.float64))):
        raise BundleError(f"{name} holds a value that is not finite")
    return array
