"""What earlier versions left on disks, unpacked for tests."""

import shutil
import tarfile
from pathlib import Path

DATA = Path(__file__).parents[1] / "data"


def unpack(version: str, archive: str, folder: Path, *configurations: str) -> Path:
    """Unpack an archive of a version into a folder, lay configuration files beside it and return the folder."""
    with tarfile.open(DATA / version / f"{archive}.tar.xz", "r:xz") as file:
        file.extractall(folder, filter="data")
    for name in configurations:
        shutil.copy(DATA / version / name, folder)
    return folder
