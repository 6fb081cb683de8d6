"""Run by `.venv-reference/bin/python reference_whisper.py MODEL IN.npz OUT.npz`: CTranslate2's encoder.

`encoded` is its output of the `(mels, frames)` log-mel in IN; `scale` and `offset` are those of its last layer norm,
read from the end of the names that the file lists.
"""

import struct
import sys
from pathlib import Path

import ctranslate2
import numpy as np


def tensor(model: bytes, name: str, size: int) -> "np.ndarray[tuple[int], np.dtype[np.float32]]":
    """Return a float16 vector by its name in `model.bin`."""
    start = model.index(struct.pack("<H", len(name) + 1) + name.encode() + b"\0") + 2 + len(name) + 1
    rank, length, code, stored = struct.unpack_from("<BIBI", model, start)
    assert (rank, length, code, stored) == (1, size, 4, 2 * size)
    return np.frombuffer(model, "<f2", size, start + struct.calcsize("<BIBI")).astype(np.float32)


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    with np.load(sys.argv[2]) as given:
        log_mel = np.ascontiguousarray(given["log_mel"][None], np.float32)
    whisper = ctranslate2.models.Whisper(str(folder), device="cpu", compute_type="float32", intra_threads=1)
    encoded = np.array(whisper.encode(ctranslate2.StorageView.from_array(log_mel)), np.float32)[0]
    stored = (folder / "model.bin").read_bytes()
    norms = {
        "scale": tensor(stored, "encoder/layer_norm/gamma", encoded.shape[1]),
        "offset": tensor(stored, "encoder/layer_norm/beta", encoded.shape[1]),
    }
    np.savez(sys.argv[3], encoded=encoded, **norms)
