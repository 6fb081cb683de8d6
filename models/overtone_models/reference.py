"""The reference: the mean embedding of the speech that one device hears, which its own speech is compared with.

Room, microphone and voice move every embedding by nearly the same vector. A head that is trained on embeddings less
the mean of what its device heard before works in rooms that no training heard (docs/recognition.md). The same rule
serves training and device: both call `Reference`.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from overtone_models.digests import digest_mapping
from overtone_models.errors import ModelError
from overtone_models.front_end import F32

MAX_MEMORY = 10_000


@dataclass(frozen=True, kw_only=True)
class ReferenceSpec:
    """The prior of a reference, and how much it remembers.

    `mean` `(embedding_size,)` is the training's mean embedding and counts as `prior_utterances` utterances. Of what a
    device hears the last `memory_utterances` or so count; older ones fade. No shift is longer than `max_norm`.
    """

    mean: tuple[float, ...]
    prior_utterances: float
    memory_utterances: int
    max_norm: float

    def __post_init__(self) -> None:
        if not self.mean or not all(map(math.isfinite, self.mean)):
            raise ModelError(f"a reference's mean holds {len(self.mean)} values, all must be finite, at least 1")
        if not 0.0 < self.prior_utterances <= MAX_MEMORY:
            raise ModelError(f"prior_utterances is {self.prior_utterances}, limit is 0 < prior <= {MAX_MEMORY}")
        if not 1 <= self.memory_utterances <= MAX_MEMORY:
            raise ModelError(f"memory_utterances is {self.memory_utterances}, limit is 1..{MAX_MEMORY}")
        if not 0.0 < self.max_norm < math.inf:
            raise ModelError(f"max_norm is {self.max_norm}, limit is a finite number above 0")

    @cached_property
    def digest(self) -> str:
        """SHA-256 over prior and memory."""
        return digest_mapping(self.to_json())

    def to_json(self) -> dict[str, Any]:
        """Return a JSON form that `from_json` reads."""
        return {
            "mean": list(self.mean),
            "prior_utterances": self.prior_utterances,
            "memory_utterances": self.memory_utterances,
            "max_norm": self.max_norm,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "ReferenceSpec":
        """Return the specification that `to_json` wrote; raise ModelError for anything else."""
        try:
            return cls(
                mean=tuple(map(float, data["mean"])),
                prior_utterances=float(data["prior_utterances"]),
                memory_utterances=int(data["memory_utterances"]),
                max_norm=float(data["max_norm"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"not a reference's specification: {error!r}") from error


class Reference:
    """A running mean of utterances' embeddings; `shift` is added to an embedding before the head."""

    def __init__(self, spec: ReferenceSpec, *, count: float = 0.0, mean: Sequence[float] | F32 = ()) -> None:
        self.spec = spec
        held = np.array(mean if count else spec.mean, np.float64)
        if held.shape != (len(spec.mean),) or not np.isfinite(held).all() or not 0.0 <= count < math.inf:
            raise ModelError(f"a reference of {held.size} values does not fit a prior of {len(spec.mean)}")
        # Count and mean change together, so that another thread never reads one without the other.
        self._state = min(float(count), float(spec.memory_utterances)), held

    def add(self, embedding: F32) -> None:
        """Count one utterance's embedding `(embedding_size,)`; one that is not finite is ignored."""
        if np.isfinite(embedding).all():
            count, mean = self._state
            count = min(count + 1.0, float(self.spec.memory_utterances))
            self._state = count, mean + (embedding - mean) / count

    @property
    def state(self) -> tuple[float, F32]:
        """Number of utterances and their mean embedding `(embedding_size,)`; the prior's mean before the first."""
        count, mean = self._state
        return count, mean.astype(np.float32)

    @property
    def shift(self) -> F32:
        """The training's mean less the mean of prior and heard speech, at most `max_norm` long; 0 at first."""
        count, mean = self._state
        return shift_of(self.spec, count, mean.astype(np.float32))


def shift_of(spec: ReferenceSpec, count: float, mean: F32) -> F32:
    """Return the shift `(embedding_size,)` after `count` utterances of this mean embedding."""
    shift = (np.array(spec.mean) - mean) * (count / (spec.prior_utterances + count))
    norm = float(np.linalg.norm(shift))
    result: F32 = (shift * min(1.0, spec.max_norm / norm if norm else 1.0)).astype(np.float32)
    return result
