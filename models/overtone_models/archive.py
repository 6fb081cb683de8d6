"""Reproducible archives: uncompressed zip files in one canonical form.

Equal entries give equal bytes, and reading refuses every other form, so that a change of any bit is detected, also in
the zip's own headers.
"""

import io
import struct
import zipfile

from overtone_models.errors import BundleError

EPOCH = (1980, 1, 1, 0, 0, 0)
_BROKEN = (zipfile.BadZipFile, struct.error)


def pack(entries: dict[str, bytes]) -> bytes:
    """Return the archive of named files, in their order."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name, data in entries.items():
            archive.writestr(zipfile.ZipInfo(name, EPOCH), data)
    return out.getvalue()


def unpack(data: bytes, limit_bytes: int) -> dict[str, bytes]:
    """Return the files of an archive that `pack` wrote; raise BundleError for anything else."""
    if len(data) > limit_bytes:
        raise BundleError(f"archive is {len(data)} bytes, limit is {limit_bytes}")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            infos = archive.infolist()
            if sum(info.file_size for info in infos) > limit_bytes:
                raise BundleError(f"archive unpacks to more than {limit_bytes} bytes")
            if any(info.compress_type != zipfile.ZIP_STORED for info in infos):
                raise BundleError("not a bundle: its archive is compressed")
            entries = {info.filename: archive.read(info) for info in infos}
    except (*_BROKEN, EOFError, NotImplementedError, OSError, RuntimeError, ValueError) as error:
        raise BundleError(f"not a bundle: {error}") from error
    if pack(entries) != data:
        raise BundleError("not a bundle as it was written: its archive has been changed")
    return entries
