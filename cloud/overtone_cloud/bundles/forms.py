"""`overtone convert --micro` and `--onnx`: a streaming bundle in other forms, each checked before any is written."""

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from overtone_cloud.errors import TrainingError
from overtone_common.files import write_atomically
from overtone_models.bundle import Bundle


@dataclass(frozen=True)
class _Form:
    """A form's files, what was found when it was made, and that in one line."""

    files: Mapping[Path, bytes]
    found: dict[str, Any]
    line: str


def asked_forms(args: argparse.Namespace) -> list[str]:
    """Return the options of the forms that are asked for; raise ConversionError where a library is missing."""
    if args.onnx:
        from overtone_converters.onnx_export import require_libraries

        require_libraries()  # what cannot be made fails before a run is converted
    return [option for option, target in (("--micro", args.micro), ("--onnx", args.onnx)) if target]


def write_forms(bundle: Bundle, args: argparse.Namespace) -> int:
    """Write the forms that are asked for, nothing of any of them unless all are well, and say what was found."""
    from overtone_cloud.cli.convert import show

    forms: dict[str, _Form] = {}
    if args.micro:
        forms["micro"] = _micro(bundle, args.micro)
    if args.onnx:
        forms["onnx"] = _onnx(bundle, args.onnx)
    for form in forms.values():
        for path, content in form.files.items():
            write_atomically(path, content, error=TrainingError)
    if not args.json:
        print("\n".join(form.line for form in forms.values()))
    elif args.run.is_file():
        found = {name: form.found for name, form in forms.items()}
        show(found if len(found) > 1 else next(iter(found.values())), as_json=True)
    return 0


def _micro(bundle: Bundle, folder: Path) -> _Form:
    from overtone_converters.micro import build_micro

    made = build_micro(bundle)
    line = (
        f"{folder}: {', '.join(made.files)}; model {made.model_bytes} bytes, arena {made.arena_bytes} bytes; "
        f"{made.equal_hops} hops equal to the device's runtime bit for bit in TensorFlow Lite Micro"
    )
    return _Form({folder / name: content for name, content in made.files.items()}, made.to_json(), line)


def _onnx(bundle: Bundle, path: Path) -> _Form:
    from overtone_converters.onnx_export import build_onnx

    made = build_onnx(bundle)
    seen = made.parity
    line = (
        f"{path}: {len(made.model)} bytes; {seen.hops} hops within {seen.difference:.2g} of the float network in ONNX "
        f"Runtime, probabilities within {seen.device_difference:.2g} of the device's"
    )
    return _Form({path: made.model}, made.to_json(), line)
