"""Training runs as verified bundles, and bundles signed for a fleet."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from overtone_cloud.bundles.sources import calibration_utterances, golden, utterances_of
from overtone_cloud.errors import TrainingError
from overtone_cloud.training.experiment import read_run_parts
from overtone_cloud.training.run_folder import RunFolder
from overtone_common.files import write_atomically
from overtone_models.bundle import Bundle, read_bundle

if TYPE_CHECKING:
    from overtone_converters.verify import Verification

EDGE_NAME = "edge-tcn"


@dataclass(frozen=True, kw_only=True)
class BundleIdentity:
    """Name and version of a bundle file, and the folder of keys that sign it; without keys it stays unsigned."""

    name: str
    version: int
    keys: Path | None = None

    def check(self) -> None:
        """Raise SigningError for a name, version or keys that cannot be signed with, before the work."""
        if self.keys is not None:
            self.sign(b"")

    def sign(self, data: bytes) -> bytes:
        """Return a bundle's bytes as the file to write: signed where there are keys."""
        from overtone_converters.signing import sign_bundle

        if self.keys is None:
            return data
        return sign_bundle(data, name=self.name, version=self.version, keys=self.keys)


@dataclass(frozen=True, kw_only=True, eq=False)
class Conversion:
    """An unsigned bundle and its comparison with the float network on the run's test speakers."""

    data: bytes
    verification: "Verification"

    @property
    def bundle(self) -> Bundle:
        """The bundle; raises ParityError where the comparison refuses it."""
        self.verification.require()
        return read_bundle(self.data)

    def write(self, path: Path, identity: BundleIdentity) -> int:
        """Write the file and return its bytes; nothing is written where the comparison refuses the bundle."""
        self.verification.require()
        return write_bundle(path, self.data, identity)


def write_bundle(path: Path, data: bytes, identity: BundleIdentity) -> int:
    """Write a bundle's file, signed where the identity has keys, and return its bytes."""
    file = identity.sign(data)
    write_atomically(path, file, error=TrainingError)
    return len(file)


def convert_run(
    path: Path,
    *,
    name: str = EDGE_NAME,
    version: int = 1,
    corpus: Path | None = None,
    cache: Path | None = None,
) -> Conversion:
    """Return the bundle of a run folder; `corpus` names the folder of its corpus where that has moved."""
    from overtone_converters.build import build_bundle
    from overtone_converters.verify import verify_bundle

    folder = RunFolder(path)
    model = folder.load_model()
    train, _, test = read_run_parts(folder, corpus=corpus, cache=cache)
    calibration = calibration_utterances(train, cache=cache)
    data = build_bundle(model, calibration, golden(), name=name, version=version)
    verification = verify_bundle(read_bundle(data), *utterances_of(test, model.labels))
    return Conversion(data=data, verification=verification)


def verify_with_run(bundle: Bundle, run: Path, *, corpus: Path | None, cache: Path | None) -> "Verification":
    """Return the comparison of a bundle with its float network on a run's test part."""
    from overtone_converters.verify import verify_bundle

    _, _, test = read_run_parts(RunFolder(run), corpus=corpus, cache=cache)
    return verify_bundle(bundle, *utterances_of(test, bundle.manifest.labels))


def sign_for_fleet(bundle: Bundle, out: Path, identity: BundleIdentity) -> int:
    """Write a finished bundle, a pretrained model for example, under a new version, signed; return its bytes."""
    manifest = replace(bundle.manifest, name=identity.name, version=identity.version)
    return write_bundle(out, replace(bundle, manifest=manifest).to_bytes(), identity)
