"""Features by name: from the JSON in a stored model to a specification that can compute.

A device needs one kind of feature, so each kind's module is imported on first use.
"""

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

from overtone_models.errors import FrontEndError
from overtone_models.features.spec import Feature


def _acoustic() -> type[Any]:
    from overtone_models.features.acoustic import AcousticSpec

    return AcousticSpec


def _crop() -> type[Any]:
    from overtone_models.features.crops import CropSpec

    return CropSpec


def _gated_log_mel() -> type[Any]:
    from overtone_models.features.gated_log_mel import GatedLogMelSpec

    return GatedLogMelSpec


def _log_mel() -> type[Any]:
    from overtone_models.features.log_mel import LogMelSpec

    return LogMelSpec


def _mean_mfcc() -> type[Any]:
    from overtone_models.features.means import MeanMfccSpec

    return MeanMfccSpec


def _mean_vector() -> type[Any]:
    from overtone_models.features.means import MeanVectorSpec

    return MeanVectorSpec


def _short_term() -> type[Any]:
    from overtone_models.features.short_term import ShortTermSpec

    return ShortTermSpec


def _voiced_spectrogram() -> type[Any]:
    from overtone_models.features.crops import VoicedSpectrogramSpec

    return VoicedSpectrogramSpec


def _whisper_log_mel() -> type[Any]:
    from overtone_models.features.whisper_log_mel import WhisperLogMelSpec

    return WhisperLogMelSpec


SPECS: Mapping[str, Callable[[], type[Any]]] = {
    "acoustic": _acoustic,
    "crop": _crop,
    "gated-log-mel": _gated_log_mel,
    "log-mel": _log_mel,
    "mean-mfcc": _mean_mfcc,
    "mean-vector": _mean_vector,
    "short-term": _short_term,
    "voiced-spectrogram": _voiced_spectrogram,
    "whisper-log-mel": _whisper_log_mel,
}
"""Functions that import the class of each feature."""


def spec_from_json(data: object) -> Feature:
    """Return the specification of `{"name": ..., **parameters}`; raise FrontEndError for anything else."""
    if not isinstance(data, dict) or not isinstance(data.get("name"), str):
        raise FrontEndError(f"a feature must be an object with a name, got {str(data)[:80]!r}")
    name = data["name"]
    if name not in SPECS:
        raise FrontEndError(f"feature {name[:80]!r} is not known; there are {', '.join(sorted(SPECS))}")
    cls = SPECS[name]()
    parameters: dict[str, Any] = {key: value for key, value in data.items() if key != "name"}
    known = [item.name for item in fields(cls) if item.init]
    unknown = sorted(str(key) for key in set(parameters) - set(known))
    if unknown:
        raise FrontEndError(f"feature {name} has no parameter {unknown[0][:80]!r}; it has {', '.join(known)}")
    spec: Feature = cls.from_json(parameters) if hasattr(cls, "from_json") else cls(**parameters)
    return spec
