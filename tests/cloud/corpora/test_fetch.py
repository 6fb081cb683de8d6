"""Downloading from a real HTTP server on this machine: resume, checks, refusals; unpacking safely."""

import errno
import hashlib
import io
import os
import stat
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from overtone_cloud.corpora import download as download_module
from overtone_cloud.corpora.corpus import Archive
from overtone_cloud.corpora.download import Download, Retries
from overtone_cloud.corpora.fetch import archive_of, fetch, unpack
from overtone_cloud.corpora.registry import CORPORA
from overtone_cloud.errors import DownloadError


class Server(ThreadingHTTPServer):
    """Serves `content`; `cuts` are byte positions at which one answer after the other breaks off."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.content = b""
        self.etag = '"v1"'
        self.ranges = True
        self.lengths = True
        self.status: list[int] = []
        self.cuts: list[int] = []
        self.asked: list[str | None] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/corpus.zip"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        server = self.server
        asked = self.headers.get("Range")
        server.asked.append(asked)
        if server.status:
            self.send_error(server.status.pop(0))
            return
        start = 0
        if asked and server.ranges and self.headers.get("If-Range", server.etag) == server.etag:
            start = int(asked.removeprefix("bytes=").rstrip("-"))
            if start >= len(server.content):
                self.send_error(416)
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(server.content) - 1}/{len(server.content)}")
        else:
            self.send_response(200)
        if server.etag:
            self.send_header("ETag", server.etag)
        if server.lengths:
            self.send_header("Content-Length", str(len(server.content) - start))
        self.end_headers()
        end = server.cuts.pop(0) if server.cuts else len(server.content)
        self.wfile.write(server.content[start:end])


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    made = Server()
    made.content = archive({"corpus/Actor_01/03-01-01-01-01-01-01.wav": os.urandom(200_000), "README": b"x"})
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


def archive(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, data in files.items():
            file.writestr(name, data)
    return buffer.getvalue()


def origin(server: Server) -> Archive:
    return Archive(
        url=server.url,
        file_name="corpus.zip",
        size_bytes=len(server.content),
        checksum=f"md5:{hashlib.md5(server.content, usedforsecurity=False).hexdigest()}",
    )


class Waits(list[float]):
    """Remembers how long each wait would have been."""

    def retries(self, attempts: int = 4) -> Retries:
        return Retries(attempts=attempts, sleep=self.append)


def get(server: Server, path: Path, attempts: int = 4, **options: object) -> Path:
    Download(url=server.url, path=path, **options).run(Waits().retries(attempts))  # type: ignore[arg-type]
    return path


def refused(server: Server, path: Path, **options: object) -> str:
    with pytest.raises(DownloadError) as caught:
        get(server, path, **options)  # type: ignore[arg-type]
    assert not path.exists()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def left(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_whole_way(server: Server, tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    folder = tmp_path / "data" / "ravdess"
    fetch(origin(server), folder, progress=lambda done, total: seen.append((done, total)))
    assert (folder / "corpus/Actor_01/03-01-01-01-01-01-01.wav").stat().st_size == 200_000
    assert left(tmp_path / "data") == ["ravdess"]
    assert seen[-1] == (len(server.content), len(server.content))
    with pytest.raises(DownloadError, match="already there"):
        fetch(origin(server), folder)


def test_interruptions_are_taken_up_where_they_were(server: Server, tmp_path: Path) -> None:
    server.cuts = [50_000, 90_000, 90_001]
    waits = Waits()
    path = tmp_path / "corpus.zip"
    Download(url=server.url, path=path).run(waits.retries())
    assert path.read_bytes() == server.content
    assert server.asked == [None, "bytes=50000-", "bytes=90000-", "bytes=90001-"]
    assert waits == [1.0, 1.0, 1.0]
    assert left(tmp_path) == ["corpus.zip"]


def test_a_later_run_goes_on(server: Server, tmp_path: Path) -> None:
    server.cuts = [50_000]
    text = refused(server, tmp_path / "corpus.zip", attempts=1)
    assert "50000 bytes are kept" in text
    assert left(tmp_path) == ["corpus.zip.part", "corpus.zip.part.json"]
    assert get(server, tmp_path / "corpus.zip").read_bytes() == server.content
    assert server.asked == [None, "bytes=50000-"]


def test_changed_file_is_downloaded_anew(server: Server, tmp_path: Path) -> None:
    server.cuts = [50_000]
    refused(server, tmp_path / "corpus.zip", attempts=1)
    server.content, server.etag = os.urandom(120_000), '"v2"'
    assert get(server, tmp_path / "corpus.zip").read_bytes() == server.content


@pytest.mark.parametrize("etag", ["", 'W/"weak"'])
def test_without_a_validator_only_a_checksum_allows_resuming(server: Server, tmp_path: Path, etag: str) -> None:
    server.etag = etag
    server.cuts = [50_000, 60_000]
    assert get(server, tmp_path / "a.zip").read_bytes() == server.content
    assert server.asked == [None, None, None]
    server.asked.clear()
    server.cuts = [50_000]
    sha = f"sha256:{hashlib.sha256(server.content).hexdigest()}"
    assert get(server, tmp_path / "b.zip", checksum=sha).read_bytes() == server.content
    assert server.asked == [None, "bytes=50000-"]


def test_server_without_ranges_starts_again(server: Server, tmp_path: Path) -> None:
    server.ranges = False
    server.cuts = [50_000]
    assert get(server, tmp_path / "corpus.zip").read_bytes() == server.content


def test_part_that_is_too_long_is_thrown_away(server: Server, tmp_path: Path) -> None:
    server.cuts = [50_000]
    refused(server, tmp_path / "corpus.zip", attempts=1)
    with (tmp_path / "corpus.zip.part").open("ab") as file:
        file.write(bytes(len(server.content)))
    assert get(server, tmp_path / "corpus.zip").read_bytes() == server.content


def test_complete_part_is_not_asked_for_again(server: Server, tmp_path: Path) -> None:
    (tmp_path / "corpus.zip.part").write_bytes(server.content)
    get(server, tmp_path / "corpus.zip", size_bytes=len(server.content))
    assert server.asked == []


def test_no_length_is_no_obstacle(server: Server, tmp_path: Path) -> None:
    server.lengths = False
    assert get(server, tmp_path / "corpus.zip").read_bytes() == server.content


def test_wrong_checksum_leaves_nothing(server: Server, tmp_path: Path) -> None:
    text = refused(server, tmp_path / "corpus.zip", checksum="md5:" + "0" * 32)
    assert "md5 is" in text
    assert "the official one is 000" in text
    assert left(tmp_path) == []


@pytest.mark.parametrize("lengths", [True, False])
@pytest.mark.parametrize("difference", [-1, 1])
def test_wrong_size_names_both_numbers(server: Server, tmp_path: Path, lengths: bool, difference: int) -> None:
    server.lengths = lengths
    official = len(server.content) + difference
    assert str(official) in refused(server, tmp_path / "corpus.zip", size_bytes=official)


def test_what_the_server_refuses(server: Server, tmp_path: Path) -> None:
    server.status = [404]
    assert "server answers 404" in refused(server, tmp_path / "corpus.zip")
    server.status = [503, 503]
    assert get(server, tmp_path / "corpus.zip").read_bytes() == server.content
    server.status = [503] * 9
    assert "server answers 503" in refused(server, tmp_path / "other.zip")


def test_no_server_at_all(server: Server, tmp_path: Path) -> None:
    waits = Waits()
    dead = Download(url="http://127.0.0.1:1/corpus.zip", path=tmp_path / "corpus.zip")
    with pytest.raises(DownloadError, match="no connection"):
        dead.run(waits.retries())
    assert waits == [1.0, 2.0, 4.0]
    with pytest.raises(DownloadError, match="only http and https"):
        Download(url="file:///etc/passwd", path=tmp_path / "x").run()


def test_full_disk(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Usage:
        free = 10

    monkeypatch.setattr(download_module.shutil, "disk_usage", lambda path: Usage)
    assert f"needs {len(server.content)} bytes, 10 are free" in refused(server, tmp_path / "corpus.zip")
    monkeypatch.undo()
    monkeypatch.setenv("no_proxy", "127.0.0.1")

    def full(self: Download, *args: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Download, "_copy", full)
    assert "cannot be written: No space left on device" in refused(server, tmp_path / "corpus.zip")


def test_archive_that_is_there_is_checked_and_used(server: Server, tmp_path: Path) -> None:
    (tmp_path / "corpus.zip").write_bytes(server.content)
    fetch(origin(server), tmp_path / "ravdess")
    assert (tmp_path / "ravdess").is_dir()
    assert server.asked == []
    (tmp_path / "corpus.zip").write_bytes(server.content[:-1] + b"!")
    with pytest.raises(DownloadError, match="md5 is"):
        fetch(origin(server), tmp_path / "other")
    assert (tmp_path / "corpus.zip").exists()


def unpacking(tmp_path: Path, data: bytes) -> str:
    (tmp_path / "a.zip").write_bytes(data)
    with pytest.raises(DownloadError) as caught:
        unpack(tmp_path / "a.zip", tmp_path / "out")
    assert left(tmp_path) == ["a.zip"]
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", ["../evil.wav", "/evil.wav", "a/../../evil.wav", "..\\evil.wav"])
def test_nothing_is_unpacked_outside(tmp_path: Path, name: str) -> None:
    text = unpacking(tmp_path, archive({"good.wav": b"x", name: b"x"}))
    assert "outside the folder" in text


def test_links_are_refused(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        link = zipfile.ZipInfo("link")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        file.writestr(link, "/etc/passwd")
    assert "is a link" in unpacking(tmp_path, buffer.getvalue())


def test_broken_archives(tmp_path: Path) -> None:
    good = archive({"a.wav": os.urandom(1000), "b.wav": b"y"})
    assert "not a ZIP archive" in unpacking(tmp_path, b"<html>not here</html>")
    assert "not a ZIP archive" in unpacking(tmp_path, good[:-10])
    assert "not a ZIP archive" in unpacking(tmp_path, good[:500] + b"!" + good[501:])


def test_size_before_unpacking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("overtone_cloud.corpora.fetch.MAX_UNPACKED_BYTES", 999)
    assert "unpacks to 1000 bytes, limit is 999" in unpacking(tmp_path, archive({"a": bytes(1000)}))
    monkeypatch.setattr("overtone_cloud.corpora.fetch.MAX_FILES", 1)
    assert "2 files, limit is 1" in unpacking(tmp_path, archive({"a": b"", "b": b""}))


def test_every_corpus_has_an_archive_or_instructions() -> None:
    for corpus in CORPORA.values():
        assert (corpus.archive is None) == bool(corpus.instructions)
    archives = [corpus.archive for corpus in CORPORA.values() if corpus.archive is not None]
    assert all(archive.file_name.endswith(".zip") for archive in archives)
    checksums = [archive.checksum for archive in archives if archive.checksum is not None]
    assert checksums and all(c.partition(":")[0] in hashlib.algorithms_available for c in checksums)
    assert archive_of("ravdess").size_bytes == 208_468_073
    with pytest.raises(DownloadError, match=r"IEMOCAP cannot simply be downloaded: ask for it at https"):
        archive_of("iemocap")
    with pytest.raises(DownloadError, match="git lfs"):
        archive_of("crema-d")
