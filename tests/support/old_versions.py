"""Unpacks files written by earlier versions, for compatibility tests."""

import shutil
import tarfile
from pathlib import Path
from typing import Any

DATA = Path(__file__).parents[1] / "data"


def unpack(version: str, archive: str, folder: Path, *configurations: str) -> Path:
    """Unpack an archive of a version into a folder, add configuration files and return the folder."""
    with tarfile.open(DATA / version / f"{archive}.tar.xz", "r:xz") as file:
        file.extractall(folder, filter="data")
    for name in configurations:
        shutil.copy(DATA / version / name, folder)
    return folder


def changed_values(old: Any, new: Any, where: str = "") -> list[str]:
    """Return where `new` (JSON values) lacks or changes something of `old`; more keys are allowed."""
    if isinstance(old, dict) and isinstance(new, dict):
        pairs = [(old[key], new.get(key), f"{where}.{key}") for key in old]
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        pairs = [(one, other, f"{where}[{place}]") for place, (one, other) in enumerate(zip(old, new, strict=True))]
    else:
        return [] if old == new else [f"{where}: {old!r} is now {new!r}"]
    return [line for one, other, place in pairs for line in changed_values(one, other, place)]
