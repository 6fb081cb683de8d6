"""Inner loops of the front end and of pooling: in C where the installation compiled it, else in numpy (`plain`).

    frames(...) -> Frames      samples to decibels and cepstra
    pcm(samples) -> bytes      float32 in -1..1 to 16 bits
    pooled(hops, floor, out)   mean and deviation over rows

The two agree within float32 rounding, not bit for bit (ADR 0027). `OVERTONE_COMPILED=0` switches C off.
"""

import os
from collections.abc import Callable
from typing import Any

from overtone_models.loops import plain
from overtone_models.loops.plain import F32, Frames, PlainFrames

__all__ = ["KIND", "Frames", "frames", "pcm", "pooled"]

SHORTEST_FFT, LONGEST_FFT = 8, 1 << 20


def _loops_in_c() -> Any:
    """Return the C module; None where it was not built or is switched off."""
    if os.environ.get("OVERTONE_COMPILED") == "0":
        return None
    try:
        from overtone_models.loops import compiled
    except ImportError:
        return None
    return compiled


compiled: Any = _loops_in_c()

KIND = "numpy" if compiled is None else "compiled"
"""Name of the implementation in use, for reports."""

pcm: Callable[[F32], bytes] = plain.pcm if compiled is None else compiled.pcm
pooled: Callable[[F32, float, F32], None] = plain.pooled if compiled is None else compiled.pooled


def frames(window: F32, filters: F32, dct: F32, *, hop: int, floor: float) -> Frames:
    """Return the frame computation for these tables: `(fft,)`, `(fft // 2 + 1, mels)` and `(mels, cepstra)`."""
    size = window.size
    if compiled is None or not SHORTEST_FFT <= size <= LONGEST_FFT or size & (size - 1):
        return PlainFrames(window, filters, dct, hop, floor)
    in_c: Frames = compiled.Frames(window, filters, dct, hop, floor)
    return in_c
