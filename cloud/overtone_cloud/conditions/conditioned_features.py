"""Features of recordings under a condition, cached like all features."""

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
    """Specification of a feature that is computed after a condition is applied to the samples."""

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
        """Shape of the inner feature."""
        return self.inner.shape

    @cached_property
    def digest(self) -> str:
        """SHA-256 over both: equal digests mean equal numbers."""
        return digest_mapping({"feature": self.inner.digest, "condition": self.condition.to_json()})

    def to_json(self) -> dict[str, Any]:
        """Return the feature's parameters and the condition's."""
        return {**self.inner.to_json(), "condition": self.condition.to_json()}

    def compute(self, samples: F32) -> F32:
        """Return the inner feature of the samples after the condition is applied."""
        return self.inner.compute(self.condition.apply(samples))


def conditioned_mfcc(
    utterances: Sequence[Utterance], spec: GatedLogMelSpec, condition: Condition | None, *, cache: Path | None
) -> list[F32 | None]:
    """Return each utterance's `(frames, n_mfcc)` under a condition; None where the gate passes less than 100 ms."""
    feature = spec if condition is None else ConditionedSpec(inner=spec, condition=condition)
    log_mels = extraction.extract(utterances, feature, cache=cache)
    dct, least = dct_matrix(spec.front_end), spec.front_end.block_frames
    return [None if x is None or len(x) < least else x @ dct for x in log_mels]
