"""Examples that batches are drawn from: every utterance as recorded and under recording conditions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from overtone_models.front_end import F32

Ints = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True, eq=False)
class Examples:
    """Log-mels end to end, `(all frames, n_mels)`; `starts` and `lengths` are `(examples, views)` into them.

    View 0 of an example is its recording; the others are the same speech under conditions. `targets` are
    `(examples, classes)`.
    """

    flat: F32
    starts: Ints
    lengths: Ints
    targets: F32

    def __len__(self) -> int:
        return len(self.starts)

    def views(self, rows: Any, conditioned: float, rng: np.random.Generator) -> Ints:
        """Return `(n,)` random views: one other than the first with probability `conditioned`."""
        views = self.starts.shape[1]
        view = np.zeros(len(rows), np.int64)
        if views > 1 and conditioned > 0:
            other = rng.random(len(rows)) < conditioned
            view[other] = rng.integers(1, views, int(other.sum()))
        return view


def examples(spectra: Sequence[Sequence[F32]], targets: F32) -> Examples:
    """Return the examples of views by utterance (at least one each); an utterance with fewer repeats its first."""
    views = max(len(each) for each in spectra)
    arrays = [each[view] for each in spectra for view in range(len(each))]
    ends = np.cumsum([len(x) for x in arrays])
    begins = np.concatenate([[0], ends[:-1]])
    starts, lengths = np.empty((2, len(spectra), views), np.int64)
    first = 0
    for row, each in enumerate(spectra):
        places = [first + (view if view < len(each) else 0) for view in range(views)]
        starts[row], lengths[row] = begins[places], (ends - begins)[places]
        first += len(each)
    return Examples(np.concatenate(arrays).astype(np.float32, copy=False), starts, lengths, targets)
