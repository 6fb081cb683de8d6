"""A bundle: everything a device needs of one model, as one file whose digest names it.

A zip (stored, not compressed, so that what is read is what was hashed) with `bundle.json` and the
files it lists with their SHA-256. Signing wraps this file (TUF metadata); nothing here trusts it.

Format 1 holds an edge network, which streams; format 2 a window network, which looks at the last seconds
(`WindowSpec`): its body in place of the streaming file, the head's weights alone, no front end.
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
from overtone_models.digests import digest_bytes
from overtone_models.errors import BundleError
from overtone_models.front_end import F32
from overtone_models.layout import weights_digest
from overtone_models.manifest import FORMAT, MANIFEST, Manifest

__all__ = ["FORMAT", "MANIFEST", "MAX_BYTES", "Bundle", "Manifest", "read_bundle", "write_bundle"]

STREAMING, TRAINING, WEIGHTS = "streaming.tflite", "training.tflite", "weights.npy"
STANDARDISE, GOLDEN_PCM, GOLDEN_PROBABILITIES = "standardise.npy", "golden.npy", "golden_probabilities.npy"
BODY = "body.tflite"
FILES = (STREAMING, TRAINING, WEIGHTS, STANDARDISE, GOLDEN_PCM, GOLDEN_PROBABILITIES)
WINDOW_FILES = (BODY, *FILES[1:])
MAX_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, eq=False)
class Bundle:
    """A bundle whose files have the sizes and digests that its manifest lists.

    `streaming_model` is what listens: for a window network its body. There, `standardise_mean` and `_scale`
    are flat over all inputs.
    """

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
        result: F32 = mfcc - self.standardise_mean
        result *= self.standardise_scale
        return result

    def to_bytes(self) -> bytes:
        """Return the file of these parts; after `dataclasses.replace` its digest is another than `digest`."""
        return write_bundle(
            self.manifest,
            weights=self.weights,
            standardise_mean=self.standardise_mean,
            standardise_scale=self.standardise_scale,
            streaming_model=self.streaming_model,
            training_model=self.training_model,
            golden_samples=self.golden_samples,
            golden_probabilities=self.golden_probabilities,
        )


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
        STREAMING if manifest.window is None else BODY: streaming_model,
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
        entries = {name: (int(listed["files"][name]["bytes"]), str(listed["files"][name]["sha256"])) for name in files}
    except (ArithmeticError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise BundleError(f"{MANIFEST} does not list its files: {error!r}") from error
    for name, (size, digest) in entries.items():
        if len(files[name]) != size or digest_bytes(files[name]) != digest:
            raise BundleError(f"{name} in the bundle is not the file that {MANIFEST} lists")
    manifest = Manifest.from_json(listed)
    return _assemble(manifest, digest_bytes(data), files)


def _open(data: bytes) -> tuple[bytes, dict[str, bytes]]:
    entries = unpack(data, MAX_BYTES)
    wanted = {MANIFEST, *(WINDOW_FILES if BODY in entries else FILES)}
    if set(entries) != wanted:
        raise BundleError(f"bundle holds {sorted(entries)}, it must hold {sorted(wanted)}")
    return entries.pop(MANIFEST), entries


def _assemble(manifest: Manifest, digest: str, files: dict[str, bytes]) -> Bundle:
    window = manifest.window
    if (window is not None) != (BODY in files):
        raise BundleError(f"the network's family does not fit the files {sorted(files)}")
    weights = _array(WEIGHTS, files[WEIGHTS], np.float32, (manifest.layout.size,))
    width = manifest.front_end.n_mfcc if window is None else window.scale_values
    standardise = _array(STANDARDISE, files[STANDARDISE], np.float32, (2, width))
    pcm = _array(GOLDEN_PCM, files[GOLDEN_PCM], np.int16, (-1,))
    golden = _array(GOLDEN_PROBABILITIES, files[GOLDEN_PROBABILITIES], np.float32, (-1, len(manifest.labels)))
    return Bundle(
        manifest=manifest,
        digest=digest,
        weights=weights,
        standardise_mean=standardise[0],
        standardise_scale=standardise[1],
        streaming_model=files[STREAMING if window is None else BODY],
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
