"""Verification of signed bundles: TUF metadata around a bundle, checked against a pinned root.

A signed bundle is one zip: `metadata/` as a TUF repository lays it out, and the bundle as its only
target. The device keeps the last metadata that it trusted, so that older or replayed files, and
files signed with revoked keys, are refused (TUF specification, section 5).
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from overtone_edge.core.errors import TrustError, UndecidedError
from overtone_models.archive import unpack
from overtone_models.errors import BundleError

MAX_SIGNED_BYTES = 65 * 1024 * 1024
BASE_URL = "bundle://signed/"


class TrustStore:
    """The device's trust: a directory of TUF metadata, and the root that was configured at set-up."""

    def __init__(self, directory: Path, root: bytes) -> None:
        self._directory = directory
        self._root = root

    def verify(self, signed: bytes) -> bytes:
        """Return the bundle inside `signed`.

        Raises:
            TrustError: changed by one bit, older than one already trusted, or signed by others.
            UndecidedError: expired, or the disk refuses; another attempt may end differently.
        """
        from tuf.api.exceptions import DownloadError, ExpiredMetadataError, RepositoryError
        from tuf.ngclient.updater import Updater

        entries = read_entries(signed)
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory() as folder:
                updater = Updater(
                    str(self._directory),
                    BASE_URL + "metadata",
                    folder,
                    BASE_URL + "targets",
                    fetcher=_fetcher(entries),
                    bootstrap=self._root,
                )
                updater.refresh()
                name = target_name(entries)
                target = updater.get_targetinfo(name)
                if target is None:
                    raise TrustError(f"the signed metadata does not list {name}")
                return Path(updater.download_target(target)).read_bytes()
        except ExpiredMetadataError as error:
            raise UndecidedError(f"the bundle's signature has expired: {error}") from error
        except (RepositoryError, DownloadError) as error:
            raise TrustError(f"the bundle is not to be trusted: {error}") from error
        except OSError as error:
            raise UndecidedError(f"the trust store {self._directory.name} cannot be used: {error}") from error
        except ValueError as error:
            raise TrustError(f"the trust store {self._directory.name} cannot be used: {error}") from error


def read_entries(signed: bytes) -> dict[str, bytes]:
    """Return the files of a signed bundle by their names in it."""
    try:
        return unpack(signed, MAX_SIGNED_BYTES)
    except BundleError as error:
        raise TrustError(f"the signed bundle cannot be read: {error}") from error


def target_name(entries: dict[str, bytes]) -> str:
    """Return the name of the only target, without the digest that prefixes it."""
    names = [name for name in entries if name.startswith("targets/")]
    if len(names) != 1 or "." not in names[0]:
        raise TrustError(f"a signed bundle holds one target, this holds {len(names)}")
    return names[0].removeprefix("targets/").split(".", 1)[1]


def _fetcher(entries: dict[str, bytes]) -> Any:
    """Return a TUF fetcher that reads a signed bundle's entries instead of a server's."""
    from tuf.api.exceptions import DownloadHTTPError
    from tuf.ngclient.fetcher import FetcherInterface

    class Entries(FetcherInterface):
        def _fetch(self, url: str) -> Iterator[bytes]:
            name = urlsplit(url).path.lstrip("/")
            if name not in entries:
                raise DownloadHTTPError(f"{name} is not in the signed bundle", 404)
            return iter([entries[name]])

    return Entries()
