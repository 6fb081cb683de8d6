"""Speech encoders that others publish: addresses, checksums and licences, and their download into a folder."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from overtone_cloud.corpora.download import Download, Progress, Retries, verify
from overtone_cloud.errors import DownloadError

LICENCE_FILE = "LICENCE.txt"

MIT = """MIT License

Copyright (c) {holder}

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
SOFTWARE.
"""


@dataclass(frozen=True, kw_only=True)
class PublishedFile:
    """A file of an encoder; `checksum` is `algorithm:hexdigits`."""

    name: str
    size_bytes: int
    checksum: str


@dataclass(frozen=True, kw_only=True)
class PublishedEncoder:
    """An encoder whose files lie below one address, at one revision that does not change.

    `licence` is shown before a download and in model cards; its text is written beside the files.
    """

    name: str
    title: str
    page: str
    licence: str
    licence_text: str
    address: str
    files: tuple[PublishedFile, ...]

    @property
    def size_bytes(self) -> int:
        """Bytes of all files."""
        return sum(file.size_bytes for file in self.files)


_TINY_EN = PublishedEncoder(
    name="whisper-tiny.en",
    title="Whisper tiny.en",
    page="https://huggingface.co/openai/whisper-tiny.en",
    licence="MIT (Copyright 2022 OpenAI; code and weights as of https://github.com/openai/whisper)",
    licence_text=MIT.format(holder="2022 OpenAI"),
    address="https://huggingface.co/openai/whisper-tiny.en/resolve/87c7102498dcde7456f24cfd30239ca606ed9063",
    files=(
        PublishedFile(
            name="config.json",
            size_bytes=1_937,
            checksum="sha256:b5366317df280f79e6cc366f259f379674f81a8721d458acf2e00680ccb10b1d",
        ),
        PublishedFile(
            name="model.safetensors",
            size_bytes=151_060_136,
            checksum="sha256:db59695928ded6043adaef491a53ef4e12da9611184d77c53baa691a60b958ad",
        ),
    ),
)

ENCODERS: Mapping[str, PublishedEncoder] = {encoder.name: encoder for encoder in (_TINY_EN,)}


def fetch_encoder(
    encoder: PublishedEncoder,
    folder: Path,
    *,
    address: str | None = None,
    progress: Progress | None = None,
    retries: Retries | None = None,
) -> None:
    """Download an encoder into a new `folder`, from its own address or a mirror's; the caller shows the licence first.

    Until all files are there and verified they lie in `folder` + `.part`, where a later run goes on. A folder that
    exists already is left alone: DownloadError.
    """
    if folder.exists():
        raise DownloadError(f"{folder}: already there; remove it to fetch the encoder again")
    incomplete = folder.with_name(folder.name + ".part")
    try:
        for file in encoder.files:
            _fetch_file(file, incomplete / file.name, (address or encoder.address).rstrip("/"), progress, retries)
        (incomplete / LICENCE_FILE).write_text(encoder.licence_text, encoding="utf-8")
        incomplete.rename(folder)
    except OSError as error:
        raise DownloadError(f"{folder}: cannot be written: {error.strerror or error}") from error


def _fetch_file(
    file: PublishedFile, path: Path, address: str, progress: Progress | None, retries: Retries | None
) -> None:
    if path.exists():
        verify(path, file.size_bytes, file.checksum)
        return
    Download(
        url=f"{address}/{file.name}",
        path=path,
        size_bytes=file.size_bytes,
        checksum=file.checksum,
        progress=progress,
    ).run(retries)
