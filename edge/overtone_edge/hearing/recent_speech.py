"""Ring buffer of the last seconds of speech, which a person can label afterwards.

It holds the recogniser's input in memory: features, or for a window network the samples, since its features are of
whole windows. Nothing of it is written to the disk here.
"""

import threading
from collections import deque
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from overtone_models.front_end import F32

SHORTEST_PIECE_S = 0.3


class RowFormat(Protocol):
    """Format of the rows in the ring: frames of a front end, or samples."""

    @property
    def digest(self) -> str:
        """Digest of the features: rows of the same digest have the same meaning."""

    @property
    def hop_s(self) -> float:
        """Seconds from one row to the next."""

    @property
    def hop_samples(self) -> int:
        """Samples from one row to the next."""


@dataclass(frozen=True, eq=False)
class Speech:
    """A piece of one utterance: the recogniser's input rows, and the samples with `keep_audio`."""

    frames: F32
    samples: F32 | None


@dataclass
class _Utterance:
    blocks: deque[F32] = field(default_factory=deque)
    samples: deque[F32] = field(default_factory=deque)

    @property
    def frames(self) -> int:
        return sum(len(block) for block in self.blocks)


class RecentSpeech:
    """A ring of the utterances of the last `max_s` seconds of speech; silence does not count.

    Samples are stored only with `keep_audio`. Filled by the listening thread, read by others.
    """

    def __init__(self, spec: RowFormat, *, max_s: float, keep_audio: bool = False) -> None:
        self.spec = spec
        self._max_frames = round(max_s / spec.hop_s)
        self._keep_audio = keep_audio
        self._lock = threading.Lock()
        self._utterances: deque[_Utterance] = deque()
        self._frames = 0

    def begin(self) -> None:
        """Begin an utterance."""
        with self._lock:
            self._utterances.append(_Utterance())

    def add(self, frames: F32) -> None:
        """Add frames of the current utterance; a full ring drops its oldest speech."""
        with self._lock:
            self._current().blocks.append(frames)
            self._frames += len(frames)
            self._forget()

    def add_samples(self, samples: F32) -> None:
        """Add samples of the current utterance, which are stored only with `keep_audio`."""
        if self._keep_audio:
            with self._lock:
                self._current().samples.append(samples)

    def _current(self) -> _Utterance:
        if not self._utterances:
            self._utterances.append(_Utterance())
        return self._utterances[-1]

    def clear(self) -> None:
        """Remove everything."""
        with self._lock:
            self._utterances.clear()
            self._frames = 0

    def last(self, seconds: float) -> list[Speech]:
        """Return the last `seconds` of speech, one piece per utterance, oldest first.

        Pieces shorter than `SHORTEST_PIECE_S` are left out.
        """
        remaining = round(seconds / self.spec.hop_s)
        pieces: list[Speech] = []
        with self._lock:
            for utterance in reversed(self._utterances):
                count = min(utterance.frames, remaining)
                remaining -= count
                if count * self.spec.hop_s >= SHORTEST_PIECE_S:
                    pieces.append(self._piece(utterance, count))
                if remaining <= 0:
                    break
        return pieces[::-1]

    def _piece(self, utterance: _Utterance, count: int) -> Speech:
        frames = np.concatenate(utterance.blocks)[-count:]
        samples = None
        if self._keep_audio and utterance.samples:
            samples = np.concatenate(utterance.samples)[-count * self.spec.hop_samples :]
        return Speech(frames, samples)

    def _forget(self) -> None:
        while self._frames > self._max_frames:
            oldest = self._utterances[0]
            if not oldest.blocks:
                self._utterances.popleft()
                continue
            self._frames -= len(oldest.blocks.popleft())
            if not oldest.samples:
                continue
            excess = sum(part.size for part in oldest.samples) - oldest.frames * self.spec.hop_samples
            while oldest.samples and excess >= oldest.samples[0].size:
                excess -= oldest.samples.popleft().size
