"""Specifications of features by name: how a stored model says what it hears."""

from collections.abc import Mapping
from dataclasses import fields
from importlib import import_module
from typing import Any

from overtone_models.errors import FrontEndError
from overtone_models.features.spec import Feature

SPECS: Mapping[str, tuple[str, str]] = {
    "acoustic": ("acoustic", "AcousticSpec"),
    "crop": ("crops", "CropSpec"),
    "gated-log-mel": ("gated", "GatedLogMelSpec"),
    "log-mel": ("log_mel", "LogMelSpec"),
    "mean-mfcc": ("means", "MeanMfccSpec"),
    "mean-vector": ("means", "MeanVectorSpec"),
    "short-term": ("short_term", "ShortTermSpec"),
    "voiced-spectrogram": ("crops", "VoicedSpectrogramSpec"),
}
"""Module and class by name; a module is imported when it is asked for, since a device needs one of them."""


def spec_from_json(given: object) -> Feature:
    """Return the specification of `{"name": ..., **parameters}`; raise FrontEndError for anything else."""
    if not isinstance(given, dict) or not isinstance(given.get("name"), str):
        raise FrontEndError(f"a feature must be an object with a name, got {str(given)[:80]!r}")
    name = given["name"]
    if name not in SPECS:
        raise FrontEndError(f"feature {name[:80]!r} is not known; there are {', '.join(sorted(SPECS))}")
    module, class_name = SPECS[name]
    cls = getattr(import_module(f"overtone_models.features.{module}"), class_name)
    parameters: dict[str, Any] = {key: value for key, value in given.items() if key != "name"}
    known = [item.name for item in fields(cls) if item.init]
    unknown = sorted(str(key) for key in set(parameters) - set(known))
    if unknown:
        raise FrontEndError(f"feature {name} has no parameter {unknown[0][:80]!r}; it has {', '.join(known)}")
    spec: Feature = cls.from_json(parameters) if hasattr(cls, "from_json") else cls(**parameters)
    return spec
