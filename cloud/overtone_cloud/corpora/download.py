"""HTTP download of one file: resumed after interruptions, verified, and renamed only when complete."""

import hashlib
import http.client
import json
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from overtone_cloud.errors import DownloadError

Progress = Callable[[int, int | None], None]
"""Called with the number of bytes received, and of all (None where the server does not say)."""

CHUNK_BYTES = 1 << 20
MAX_DOWNLOAD_BYTES = 32 * 1024**3
TIMEOUT_S = 60.0
TRANSIENT = (408, 429, 500, 502, 503, 504)


@dataclass(frozen=True, kw_only=True)
class Retries:
    """Attempts in a row without progress before a download fails, and the wait before the second; it then doubles."""

    attempts: int = 4
    wait_s: float = 1.0
    sleep: Callable[[float], None] = time.sleep


class _InterruptedError(Exception):
    """The connection ended before the file was complete; the received bytes stay on disk."""


@dataclass(frozen=True, kw_only=True)
class Download:
    """Download of the file at `url`, with the size and checksum (`algorithm:hexdigits`) that its publisher gives.

    Received bytes are stored in `path` + `.part` and resumed with an HTTP range, in this run or a later one, while the
    server still has the same file (ETag or date), or where a checksum will tell.
    """

    url: str
    path: Path
    size_bytes: int | None = None
    checksum: str | None = None
    progress: Progress | None = None

    def run(self, retries: Retries | None = None) -> None:
        """Store the complete, verified file at `path`; raise DownloadError and leave nothing there."""
        if not self.url.startswith(("http://", "https://")):
            raise DownloadError(f"{self.url}: only http and https addresses are downloaded")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._receive_all(retries or Retries())
            try:
                verify(self.part, self.size_bytes, self.checksum)
            except DownloadError:
                self._discard()
                raise
            self.part.replace(self.path)
            self._note.unlink(missing_ok=True)
        except OSError as error:
            raise DownloadError(f"{self.path}: cannot be written: {error.strerror or error}") from error

    @property
    def part(self) -> Path:
        """The file of the bytes received so far."""
        return self.path.with_name(self.path.name + ".part")

    @property
    def _note(self) -> Path:
        return self.path.with_name(self.path.name + ".part.json")

    def _receive_all(self, retries: Retries) -> None:
        failures = 0
        while self.size_bytes is None or self._received() != self.size_bytes:
            before = self._received()
            try:
                return self._receive_rest()
            except _InterruptedError as error:
                failures = 1 if self._received() > before else failures + 1
                if failures >= retries.attempts:
                    resume = f"{self._received()} bytes are kept, the same command goes on from there"
                    raise DownloadError(f"{self.url}: {error}; {resume}") from error
                retries.sleep(retries.wait_s * 2 ** (failures - 1))
        return None

    def _receive_rest(self) -> None:
        """Request the missing bytes and append them."""
        received, validator = self._resumable()
        headers = {"User-Agent": "overtone", "Accept-Encoding": "identity"}
        if received:
            headers |= {"Range": f"bytes={received}-"} | ({"If-Range": validator} if validator else {})
        request = urllib.request.Request(self.url, headers=headers)  # noqa: S310 (run() checks the scheme)
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:  # noqa: S310
                self._append(response, received)
        except urllib.error.HTTPError as error:
            error.close()
            if error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE and received:
                self._discard()
                raise _InterruptedError("the server refuses to resume") from error
            problem = f"server answers {error.code} {error.reason}"
            if error.code in TRANSIENT:
                raise _InterruptedError(problem) from error
            raise DownloadError(f"{self.url}: {problem}") from error
        except urllib.error.URLError as error:
            raise _InterruptedError(f"no connection ({error.reason})") from error
        except (http.client.HTTPException, ConnectionError, TimeoutError) as error:
            raise _InterruptedError(f"connection lost ({_text(error)})") from error

    def _append(self, response: http.client.HTTPResponse, received: int) -> None:
        if response.status != http.client.PARTIAL_CONTENT:
            received = 0
        elif not response.headers.get("Content-Range", "").startswith(f"bytes {received}-"):
            self._discard()
            raise _InterruptedError(f"server sent the range {response.headers.get('Content-Range')!r}")
        length = response.headers.get("Content-Length", "")
        total = received + int(length) if length.isdigit() else None
        if total is not None:
            self._check_room(received, total)
        self._remember(response)
        with self.part.open("ab" if received else "wb") as file:
            arrived = self._copy(response, file, received, total)
        if total is not None and arrived < total:
            raise _InterruptedError(f"connection ended after {arrived} of {total} bytes")

    def _copy(self, response: http.client.HTTPResponse, file: IO[bytes], received: int, total: int | None) -> int:
        """Append the body to the `received` bytes; return how many there are then."""
        limit = self.size_bytes or total or MAX_DOWNLOAD_BYTES
        while chunk := _read(response):
            received += len(chunk)
            if received > limit:
                raise DownloadError(f"{self.url}: more than the {limit} bytes that it should be")
            file.write(chunk)
            if self.progress is not None:
                self.progress(received, total)
        return received

    def _check_room(self, received: int, total: int) -> None:
        """Refuse a file of an unexpected size, or one that does not fit on the disk."""
        if self.size_bytes is not None and total != self.size_bytes:
            raise DownloadError(f"{self.url}: file is {total} bytes, the official one is {self.size_bytes}")
        if total > MAX_DOWNLOAD_BYTES:
            raise DownloadError(f"{self.url}: file is {total} bytes, limit is {MAX_DOWNLOAD_BYTES}")
        free = shutil.disk_usage(self.path.parent).free
        if total - received > free:
            raise DownloadError(f"{self.path.parent}: download needs {total - received} bytes, {free} are free")

    def _received(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def _discard(self) -> None:
        self.part.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)

    def _remember(self, response: http.client.HTTPResponse) -> None:
        """Store the validator (ETag or date) that tells this file from a later one at the same address."""
        etag = response.headers.get("ETag", "")
        strong = etag if not etag.startswith("W/") else ""
        validator = strong or response.headers.get("Last-Modified", "")
        self._note.write_text(json.dumps({"url": self.url, "validator": validator}), encoding="utf-8")

    def _resumable(self) -> tuple[int, str]:
        """Return how many bytes can be resumed from, and the validator of their file if it has one."""
        try:
            note = json.loads(self._note.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return 0, ""
        if not isinstance(note, dict) or note.get("url") != self.url:
            return 0, ""
        validator = str(note.get("validator") or "")
        return (self._received() if validator or self.checksum else 0), validator


def verify(path: Path, size_bytes: int | None, checksum: str | None) -> None:
    """Raise DownloadError unless a file has this size and this checksum, where they are known."""
    size = path.stat().st_size
    if size_bytes is not None and size != size_bytes:
        raise DownloadError(f"{path}: file is {size} bytes, the official one is {size_bytes}")
    if checksum is not None:
        algorithm, _, expected = checksum.partition(":")
        with path.open("rb") as file:
            actual = hashlib.file_digest(file, algorithm).hexdigest()
        if actual != expected:
            raise DownloadError(f"{path}: {algorithm} is {actual}, the official one is {expected}")


def _read(response: http.client.HTTPResponse) -> bytes:
    try:
        return response.read1(CHUNK_BYTES)
    except (http.client.HTTPException, OSError) as error:
        raise _InterruptedError(f"connection lost ({_text(error)})") from error


def _text(error: Exception) -> str:
    return str(error) or type(error).__name__
