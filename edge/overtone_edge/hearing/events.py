"""The event of the agent: emotion, time and confidence."""

import json
from dataclasses import dataclass

_encode = json.JSONEncoder(separators=(",", ":")).encode


@dataclass(frozen=True, kw_only=True)
class Emotion:
    """One event. `label` None is "no decision"; `final` marks the decision over a whole utterance.

    `time_s` is Unix time, `stream_s` the position in the source, `speech_s` the seconds of this utterance so far.
    """

    device: str
    time_s: float
    stream_s: float
    speech_s: float
    label: str | None
    confidence: float
    probabilities: dict[str, float]
    final: bool
    bundle_version: int

    def to_json(self) -> str:
        """Return one line of JSON without line end."""
        return _encode(
            {
                "device": self.device,
                "time_s": round(self.time_s, 3),
                "stream_s": round(self.stream_s, 3),
                "speech_s": round(self.speech_s, 3),
                "label": self.label,
                "confidence": round(self.confidence, 4),
                "probabilities": {label: round(p, 4) for label, p in self.probabilities.items()},
                "final": self.final,
                "bundle_version": self.bundle_version,
            }
        )
