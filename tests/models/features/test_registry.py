"""Specifications by name: what is written can be read, and nothing else is."""

import ast
import json
import sys
from pathlib import Path
from typing import Any

import pytest

import overtone_models.features
from overtone_models.errors import FrontEndError
from overtone_models.features.log_mel import LogMelSpec
from overtone_models.features.registry import SPECS, spec_from_json
from overtone_models.features.short_term import ShortTermSpec


@pytest.mark.parametrize("name", sorted(SPECS))
def test_a_specification_survives_json(name: str) -> None:
    spec = spec_from_json({"name": name})
    again = spec_from_json(json.loads(json.dumps(spec.to_json())))
    assert again == spec and again.digest == spec.digest and spec.name == name


def test_digests_tell_features_and_parameters_apart() -> None:
    digests = {spec_from_json({"name": name}).digest for name in SPECS}
    assert len(digests) == len(SPECS)
    assert ShortTermSpec(as_published=True).digest != ShortTermSpec().digest
    assert LogMelSpec(seconds=8).digest == LogMelSpec(seconds=8.0).digest


def test_another_version_is_another_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    before = ShortTermSpec().digest
    monkeypatch.setattr(ShortTermSpec, "version", 99)
    assert ShortTermSpec().digest != before


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([], "must be an object with a name"),
        ({"windows": 3}, "must be an object with a name"),
        ({"name": "mel"}, "'mel' is not known; there are acoustic, crop, gated-log-mel, log-mel"),
        ({"name": "log-mel", "mels": 4}, "log-mel has no parameter 'mels'; it has sample_rate_hz, n_mels, seconds"),
        ({"name": "log-mel", "n_mels": 1000}, "n_mels is 1000, limits are 1 and 256"),
        ({"name": "log-mel", "seconds": "8"}, "seconds is '8', it must be a finite number"),
        ({"name": "log-mel", "seconds": 1e9}, "seconds is 1000000000.0, limits are 0.1 and 60 s"),
        ({"name": "mean-mfcc", "sample_rate_hz": 10}, "sample_rate_hz is 10, limits are 4000 and 48000 Hz"),
        ({"name": "mean-vector", "n_mfcc": 129}, "n_mfcc is 129, limits are 1 and n_mels = 128"),
        ({"name": "gated-log-mel", "frames": 3}, "gated-log-mel has no parameter 'frames'; it has front_end, gate"),
        ({"name": "gated-log-mel", "gate": {"open": 3}}, "gated-log-mel: .* unexpected keyword argument 'open'"),
        ({"name": "gated-log-mel", "front_end": 3}, "gated-log-mel: .* must be a mapping, not int"),
        ({"name": "gated-log-mel", "front_end": {"n_mels": "x"}}, "n_mels is 'x', it must be a whole number"),
        ({"name": "crop", "rows": 100}, "rows is 100, it must divide 512"),
        ({"name": "crop", "width": True}, "width is True, it must be a finite number"),
    ],
)
def test_what_is_no_specification(given: Any, words: str) -> None:
    with pytest.raises(FrontEndError, match=words) as caught:
        spec_from_json(given)
    assert "\n" not in str(caught.value)


def test_features_need_numpy_alone() -> None:
    """The device computes them: it has neither librosa nor scipy."""
    folder = Path(overtone_models.features.__file__).parent
    allowed = {"numpy", "overtone_common", "overtone_models"} | set(sys.stdlib_module_names)
    for path in folder.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [str(node.module)] if isinstance(node, ast.ImportFrom) else []
            assert {name.split(".")[0] for name in names} <= allowed, path
