"""Window networks as bundles: their folders, conversion, comparison with the device's runtime."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from overtone_cloud.bundles.conversion import BundleIdentity, write_bundle
from overtone_cloud.bundles.sources import golden
from overtone_cloud.errors import TrainingError
from overtone_models.bundle import Bundle, read_bundle
from overtone_models.window_model import is_window_folder

if TYPE_CHECKING:
    from overtone_converters.window_verify import WindowVerification


@dataclass(frozen=True, kw_only=True, eq=False)
class WindowConversion:
    """A bundle file of one window network, and its comparison with the network in its folder.

    `form` is the body's precision; `rejected_forms` are the smaller ones that lost too much, each with the reason.
    """

    folder: Path
    file: Path
    file_bytes: int
    signed: bool
    form: str
    rejected_forms: tuple[str, ...]
    multiply_adds: int
    split: str
    verification: "WindowVerification"

    def to_json(self) -> dict[str, Any]:
        """Return everything as one flat table."""
        return {
            "folder": str(self.folder),
            "file": str(self.file),
            "bundle_bytes": self.file_bytes,
            "signed": self.signed,
            "form": self.form,
            "given_up": list(self.rejected_forms),
            "multiply_adds": self.multiply_adds,
            "split": self.split,
            **self.verification.to_json(),
        }


def window_folders(folder: Path) -> list[Path]:
    """Return the folder where it holds a window network, else those in it that do."""
    if is_window_folder(folder):
        return [folder]
    try:
        return sorted(inner for inner in folder.iterdir() if is_window_folder(inner))
    except OSError:
        return []


def bundle_files(folders: Sequence[Path], out: Path | None) -> list[Path]:
    """Return the bundle file of each folder: in it, or in the folder `out`; `out` may name the file of a single one."""
    if out is None:
        return [folder / f"{folder.name}.bundle" for folder in folders]
    if len(folders) == 1:
        return [out]
    if out.suffix:
        raise TrainingError(f"{folders[0].parent} holds {len(folders)} networks: --out must be a folder, not {out}")
    return [out / f"{folder.name}.bundle" for folder in folders]


def convert_window(folder: Path, file: Path, identity: BundleIdentity) -> WindowConversion:
    """Write the verified bundle of the network in a folder; without a name in `identity` it is called by its own."""
    from overtone_converters.window_build import build_window_bundle
    from overtone_converters.window_network import load_network
    from overtone_converters.window_verify import require_window, verify_window

    network = load_network(folder)
    identity = replace(identity, name=identity.name or network.model.network)
    built = build_window_bundle(network, golden(), name=identity.name, version=identity.version)
    verification = verify_window(read_bundle(built.bundle), network)
    require_window(verification)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TrainingError(f"{file.parent}: cannot be made: {error.strerror or error}") from error
    return WindowConversion(
        folder=folder,
        file=file,
        file_bytes=write_bundle(file, built.bundle, identity),
        signed=identity.keys is not None,
        form=str(built.form),
        rejected_forms=tuple(built.rejections),
        multiply_adds=built.multiply_adds,
        split=network.model.split,
        verification=verification,
    )


def verify_with_folder(bundle: Bundle, folder: Path) -> "WindowVerification":
    """Return the comparison of a bundle with the window network in a folder."""
    from overtone_converters.window_network import load_network
    from overtone_converters.window_verify import verify_window

    return verify_window(bundle, load_network(folder))
