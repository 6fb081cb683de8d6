"""The log-mel spectrogram of the speech in a recording, cut by the gate: the training input of streaming networks."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any, ClassVar

from overtone_models.digests import digest_mapping
from overtone_models.errors import FrontEndError
from overtone_models.front_end import F32, FrontEndSpec, log_mel
from overtone_models.gate import GateSpec, speech_span


@dataclass(frozen=True, kw_only=True)
class GatedLogMelSpec:
    """`(frames, n_mels)` decibels from the gate's first opening to its last closing; no frames of silence."""

    name: ClassVar[str] = "gated-log-mel"

    front_end: FrontEndSpec = field(default_factory=FrontEndSpec)
    gate: GateSpec = field(default_factory=GateSpec)

    @classmethod
    def from_json(cls, parameters: Mapping[str, Any]) -> "GatedLogMelSpec":
        """Return the specification of `{"front_end": {...}, "gate": {...}}`; raise FrontEndError for anything else."""
        try:
            front_end = FrontEndSpec(**parameters.get("front_end", {}))
            gate = GateSpec(**parameters.get("gate", {}))
        except TypeError as error:
            raise FrontEndError(f"feature {cls.name}: {error}") from error
        return cls(front_end=front_end, gate=gate)

    def to_json(self) -> dict[str, Any]:
        """Return name and parameters, as `registry.spec_from_json` takes them."""
        return {"name": self.name, "front_end": asdict(self.front_end), "gate": asdict(self.gate)}

    @property
    def sample_rate_hz(self) -> int:
        """The rate of the samples that `compute` takes."""
        return self.front_end.sample_rate_hz

    @property
    def shape(self) -> tuple[int, int]:
        """`(0, n_mels)`: the frames depend on the recording."""
        return 0, self.front_end.n_mels

    @cached_property
    def digest(self) -> str:
        """SHA-256 over name and parameters: equal digests mean equal numbers."""
        return digest_mapping(self.to_json())

    def compute(self, samples: F32) -> F32:
        """Return `(frames, n_mels)` decibels of the speech in `samples`."""
        first, last = speech_span(samples, self.gate)
        return log_mel(samples[first:last], self.front_end)
