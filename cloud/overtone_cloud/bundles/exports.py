"""C for microcontrollers and ONNX for GPUs: a streaming bundle in other forms, each checked before any is written."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from overtone_cloud.errors import TrainingError
from overtone_common.files import write_atomically
from overtone_models.bundle import Bundle


@dataclass(frozen=True, kw_only=True)
class ExportTargets:
    """Where each form goes: a folder of C files, an ONNX file; None for a form that is not wanted."""

    micro: Path | None = None
    onnx: Path | None = None

    def check_libraries(self) -> None:
        """Raise ConversionError where a library that a form needs is missing."""
        if self.onnx is not None:
            from overtone_converters.onnx_export import require_libraries

            require_libraries()


@dataclass(frozen=True, kw_only=True)
class Export:
    """One form: its files, the figures of its check, and a line that sums up both."""

    files: Mapping[Path, bytes]
    report: Mapping[str, Any]
    summary: str


def export_bundle(bundle: Bundle, targets: ExportTargets) -> dict[str, Export]:
    """Write every wanted form and return them by name; nothing is written unless all of them pass their checks."""
    exports: dict[str, Export] = {}
    if targets.micro is not None:
        exports["micro"] = _micro(bundle, targets.micro)
    if targets.onnx is not None:
        exports["onnx"] = _onnx(bundle, targets.onnx)
    for export in exports.values():
        for path, content in export.files.items():
            write_atomically(path, content, error=TrainingError)
    return exports


def _micro(bundle: Bundle, folder: Path) -> Export:
    from overtone_converters.micro import build_micro

    network = build_micro(bundle)
    summary = (
        f"{folder}: {', '.join(network.files)}; model {network.model_bytes} bytes, arena {network.arena_bytes} bytes; "
        f"{network.equal_hops} hops equal to the device's runtime bit for bit in TensorFlow Lite Micro"
    )
    files = {folder / name: content for name, content in network.files.items()}
    return Export(files=files, report=network.to_json(), summary=summary)


def _onnx(bundle: Bundle, path: Path) -> Export:
    from overtone_converters.onnx_export import build_onnx

    network = build_onnx(bundle)
    parity = network.parity
    summary = (
        f"{path}: {len(network.model)} bytes; {parity.hops} hops within {parity.difference:.2g} of the float network "
        f"in ONNX Runtime, probabilities within {parity.device_difference:.2g} of the device's"
    )
    return Export(files={path: network.model}, report=network.to_json(), summary=summary)
