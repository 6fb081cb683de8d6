"""Vectors of what was said: `(tokens, width)` for each text, computed once and kept on the disk."""

from collections.abc import Callable, Sequence
from pathlib import Path
from time import monotonic
from typing import Protocol

from threadpoolctl import threadpool_limits

from overtone_cloud.features import cache as kept
from overtone_models.digests import digest_mapping
from overtone_models.front_end import F32

Log = Callable[[str], None]

VERSION = 1
"""Raised when the same encoder and text give other numbers, so that no cache keeps the old ones."""
PROGRESS_S = 5.0


class TextEncoder(Protocol):
    """An `encoder.Encoder` or `word_vectors.WordVectors`."""

    @property
    def width(self) -> int:
        """Numbers for each token."""

    @property
    def digest(self) -> str:
        """Equal digests mean equal numbers."""

    def encode(self, text: str) -> F32:
        """Return `(tokens, width)`, at least one row."""


def no_log(_line: str) -> None:
    """Say nothing."""


def embed(
    texts: Sequence[str], encoder: TextEncoder, *, cache: Path | None = None, log: Log = no_log
) -> dict[str, F32]:
    """Return the `(tokens, width)` of each text, by text; a text that many utterances share is computed once.

    They are kept in `cache` (None: the user's) as they come, so an interrupted run goes on.
    """
    folder = cache or kept.cache_directory()
    keys = {text: _key(text, encoder) for text in dict.fromkeys(texts)}
    found: dict[str, F32] = {}
    for text, key in keys.items():
        stored = kept.read(folder, key)
        if stored is not None and stored.ndim == 2 and stored.shape[1] == encoder.width:
            found[text] = stored
    missing = [text for text in keys if text not in found]
    said_s = monotonic()
    # A sentence's products are small: waiting for each other costs BLAS threads many times what they save.
    with threadpool_limits(limits=1, user_api="blas"):
        for text in missing:
            found[text] = encoder.encode(text)
            kept.write(folder, keys[text], found[text])
            if monotonic() - said_s >= PROGRESS_S:
                said_s = monotonic()
                log(f"text: {len(found)} of {len(keys)} different texts encoded")
    return found


def _key(text: str, encoder: TextEncoder) -> str:
    return digest_mapping({"text": text, "encoder": encoder.digest, "version": VERSION})
