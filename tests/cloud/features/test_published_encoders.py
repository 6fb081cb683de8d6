"""A published encoder's download from a real HTTP server on this machine: resume, checks, and what stands beside it."""

import argparse
import hashlib
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from tests.support.whisper_encoders import random_tensors, write_hugging_face

from overtone_cloud.cli.data import register
from overtone_cloud.corpora.download import Retries
from overtone_cloud.errors import DownloadError
from overtone_cloud.features import published_encoders
from overtone_cloud.features.published_encoders import ENCODERS, PublishedEncoder, PublishedFile, fetch_encoder
from overtone_cloud.features.whisper_files import read_whisper

NAMES = ("config.json", "model.safetensors")
NO_WAIT = Retries(attempts=1)


class Quiet(SimpleHTTPRequestHandler):
    """Serves a folder and writes no log."""

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def served(tmp_path: Path) -> Path:
    """The folder that the server serves: a small encoder's."""
    return write_hugging_face(tmp_path / "served" / "tiny", random_tensors())


@pytest.fixture
def address(served: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(served.parent)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/tiny"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def encoder(served: Path, address: str) -> PublishedEncoder:
    files = []
    for name in NAMES:
        data = (served / name).read_bytes()
        checksum = f"sha256:{hashlib.sha256(data).hexdigest()}"
        files.append(PublishedFile(name=name, size_bytes=len(data), checksum=checksum))
    return PublishedEncoder(
        name="tiny",
        title="Tiny",
        page="its page",
        licence="MIT (nobody)",
        licence_text="MIT License",
        address=address,
        files=tuple(files),
    )


def test_whole_way(encoder: PublishedEncoder, served: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data" / "tiny"
    seen: list[int] = []
    fetch_encoder(encoder, folder, progress=lambda done, _total: seen.append(done))
    assert sorted(path.name for path in folder.iterdir()) == ["LICENCE.txt", *NAMES]
    assert [path.name for path in folder.parent.iterdir()] == ["tiny"]
    assert (folder / "LICENCE.txt").read_text() == "MIT License"
    assert seen[-1] == encoder.files[1].size_bytes
    assert read_whisper(folder, layers=2).digest == read_whisper(served, layers=2).digest
    with pytest.raises(DownloadError, match="tiny: already there; remove it to fetch the encoder again"):
        fetch_encoder(encoder, folder)


def test_a_later_run_goes_on(encoder: PublishedEncoder, served: Path, tmp_path: Path) -> None:
    weights = served / "model.safetensors"
    data = weights.read_bytes()
    weights.unlink()
    with pytest.raises(DownloadError, match=r"model\.safetensors: server answers 404"):
        fetch_encoder(encoder, tmp_path / "tiny", retries=NO_WAIT)
    assert not (tmp_path / "tiny").exists()
    assert [path.name for path in (tmp_path / "tiny.part").iterdir()] == ["config.json"]
    weights.write_bytes(data)
    (served / "config.json").unlink()
    fetch_encoder(encoder, tmp_path / "tiny", retries=NO_WAIT)
    assert (tmp_path / "tiny" / "model.safetensors").read_bytes() == data


def test_another_file_under_the_name_is_refused(encoder: PublishedEncoder, served: Path, tmp_path: Path) -> None:
    weights = served / "model.safetensors"
    data = weights.read_bytes()
    weights.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(DownloadError, match=r"sha256 is .*, the official one is ") as caught:
        fetch_encoder(encoder, tmp_path / "tiny", retries=NO_WAIT)
    assert "\n" not in str(caught.value) and not (tmp_path / "tiny").exists()
    weights.write_bytes(data + b"!")
    with pytest.raises(DownloadError, match=f"file is {len(data) + 1} bytes, the official one is {len(data)}"):
        fetch_encoder(encoder, tmp_path / "tiny", retries=NO_WAIT)
    (tmp_path / "tiny.part" / "config.json").write_text("{}")
    with pytest.raises(DownloadError, match=r"config\.json: file is 2 bytes, the official one is"):
        fetch_encoder(encoder, tmp_path / "tiny", retries=NO_WAIT)


def test_a_folder_that_cannot_be_written(encoder: PublishedEncoder, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DownloadError, match="cannot be written: Not a directory"):
        fetch_encoder(encoder, tmp_path / "file" / "tiny", retries=NO_WAIT)


def test_the_command_shows_the_licence_and_wants_it_accepted(
    encoder: PublishedEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(published_encoders.ENCODERS, "whisper-tiny.en", encoder)  # type: ignore[arg-type]
    parser = argparse.ArgumentParser()
    register(parser.add_subparsers(required=True))
    words = ["data", "fetch", "whisper-tiny.en", "--to", str(tmp_path / "data")]
    args = parser.parse_args(words)
    with pytest.raises(DownloadError, match="Tiny: licence not accepted, nothing downloaded"):
        args.func(args)
    assert "Licence: MIT (nobody)" in capsys.readouterr().err and not (tmp_path / "data").exists()
    args = parser.parse_args([*words, "--accept-licence", "--url", f"{encoder.address}/"])
    assert args.func(args) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'data' / 'tiny'}\n"


def test_what_is_published_is_pinned() -> None:
    tiny = ENCODERS["whisper-tiny.en"]
    assert [file.name for file in tiny.files] == list(NAMES) and tiny.size_bytes == 151_062_073
    assert tiny.address.startswith("https://huggingface.co/openai/whisper-tiny.en/resolve/")
    assert len(tiny.address.rpartition("/")[2]) == 40
    assert all(file.checksum.startswith("sha256:") and len(file.checksum) == 71 for file in tiny.files)
    assert tiny.licence.startswith("MIT") and "Copyright (c) 2022 OpenAI" in tiny.licence_text
