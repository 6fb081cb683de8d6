"""Text embeddings of transcripts: `(tokens, width)` for each text, computed once and cached on disk."""

from collections.abc import Callable, Sequence
from pathlib import Path
from time import monotonic
from typing import Protocol

from threadpoolctl import threadpool_limits

from overtone_cloud.features.cache import cache_directory, read_feature, write_feature
from overtone_models.digests import digest_mapping
from overtone_models.front_end import F32

Log = Callable[[str], None]

VERSION = 1
"""Increased when the same encoder and text give other numbers, so that old cache entries are not used."""
PROGRESS_S = 5.0


class TextEncoder(Protocol):
    """An `encoder.Encoder` or `word_vectors.WordVectors`."""

    @property
    def width(self) -> int:
        """Number of values per token."""

    @property
    def digest(self) -> str:
        """Equal digests mean equal numbers."""

    def encode(self, text: str) -> F32:
        """Return `(tokens, width)`, at least one row."""


def no_log(_line: str) -> None:
    """Discard a log line."""


def embed(
    texts: Sequence[str], encoder: TextEncoder, *, cache: Path | None = None, log: Log = no_log
) -> dict[str, F32]:
    """Return the `(tokens, width)` of each text, by text; a text that many utterances share is computed once.

    They are cached in `cache` (None: the user's) as they come, so an interrupted run goes on.
    """
    folder = cache or cache_directory()
    keys = {text: _key(text, encoder) for text in dict.fromkeys(texts)}
    embeddings: dict[str, F32] = {}
    for text, key in keys.items():
        stored = read_feature(folder, key)
        if stored is not None and stored.ndim == 2 and stored.shape[1] == encoder.width:
            embeddings[text] = stored
    missing = [text for text in keys if text not in embeddings]
    logged_s = monotonic()
    # A sentence's products are small: waiting for each other costs BLAS threads many times what they save.
    with threadpool_limits(limits=1, user_api="blas"):
        for text in missing:
            embeddings[text] = encoder.encode(text)
            write_feature(folder, keys[text], embeddings[text])
            if monotonic() - logged_s >= PROGRESS_S:
                logged_s = monotonic()
                log(f"text: {len(embeddings)} of {len(keys)} different texts encoded")
    return embeddings


def _key(text: str, encoder: TextEncoder) -> str:
    return digest_mapping({"text": text, "encoder": encoder.digest, "version": VERSION})
