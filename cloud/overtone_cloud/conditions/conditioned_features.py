"""Features of recordings under a condition, in the same cache as all others."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from overtone_cloud.conditions.conditions import Condition
from overtone_cloud.corpora.utterance import Utterance
from overtone_cloud.features import extraction
from overtone_models.digests import digest_mapping
from overtone_models.features.gated_log_mel import GatedLogMelSpec
from overtone_models.front_end import F32, dct_matrix


@dataclass(frozen=True, kw_only=True)
class ConditionedSpec:
    """A feature of samples that a condition has changed."""

    inner: GatedLogMelSpec
    condition: Condition

    @property
    def name(self) -> str:
        """The inner feature's name and the condition's."""
        return f"{self.inner.name} ({self.condition.name})"

    @property
    def sample_rate_hz(self) -> int:
        """The rate of the samples that `compute` takes."""
        return self.inner.sample_rate_hz

    @property
    def shape(self) -> tuple[int, ...]:
        """The inner feature's."""
        return self.inner.shape

    @cached_property
    def digest(self) -> str:
        """SHA-256 over both: equal digests mean equal numbers."""
        return digest_mapping({"feature": self.inner.digest, "condition": self.condition.to_json()})

    def to_json(self) -> dict[str, Any]:
        """Return the feature's parameters and the condition's."""
        return {**self.inner.to_json(), "condition": self.condition.to_json()}

    def compute(self, samples: F32) -> F32:
        """Return the inner feature of the samples as they are heard under the condition."""
        return self.inner.compute(self.condition.apply(samples))


def conditioned_mfcc(
    utterances: Sequence[Utterance], spec: GatedLogMelSpec, condition: Condition | None, *, cache: Path | None
) -> list[F32 | None]:
    """Return each utterance's `(frames, n_mfcc)` under a condition; None where the gate heard less than 100 ms."""
    feature = spec if condition is None else ConditionedSpec(inner=spec, condition=condition)
    log_mels = extraction.extract(utterances, feature, cache=cache)
    dct, least = dct_matrix(spec.front_end), spec.front_end.block_frames
    return [None if x is None or len(x) < least else x @ dct for x in log_mels]
