"""`overtone data`, through its parser: what it prints, writes and returns."""

import argparse
import errno
import io
import json
import threading
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import soundfile

from overtone_cloud.cli.data import register
from overtone_cloud.corpora import read_corpus
from overtone_cloud.corpora.splits import load_split
from overtone_cloud.errors import CorpusError, DownloadError, SplitError

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a function that runs `overtone data ...` and returns its status and what it printed."""
    monkeypatch.setenv("COLUMNS", "160")

    def call(*words: object) -> tuple[int, str]:
        parser = argparse.ArgumentParser()
        register(parser.add_subparsers(required=True))
        args = parser.parse_args(["data", *map(str, words)])
        status = args.func(args)
        return status, capsys.readouterr().out

    return call


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    root = tmp_path / "corpus"
    for number in range(12):
        path = root / f"speaker{number % 3}" / ("happy", "sad")[number % 2] / f"{number}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, np.random.default_rng(number).uniform(-0.5, 0.5, 8000), 16_000)
    return root


def test_list_names_every_corpus_and_licence(run: Run) -> None:
    status, text = run("list")
    assert status == 0
    for word in ("ravdess", "7442", "IEMOCAP", "overtone data fetch nemo --to DIR", "CC BY-NC-ND 4.0", "git lfs"):
        assert word.lower() in text.lower()


def test_check_tells_by_its_status(run: Run, corpus: Path) -> None:
    status, text = run("check", corpus)
    assert (status, "12 utterances, 12 with a label, 3 speakers" in text) == (0, True)
    assert "Nothing is missing" in text
    (corpus / "speaker0" / "happy" / "0.wav").write_bytes(b"")
    status, text = run("check", corpus)
    assert status == 1
    assert "unreadable: 1 of 12 utterances cannot be used" in text
    assert "0.wav: the file is empty (0 bytes)" in text
    status, text = run("check", corpus, "--json")
    report = json.loads(text)
    assert status == 1
    assert (report["utterances"], report["speakers"]) == (11, ["speaker0", "speaker1", "speaker2"])
    assert report["problems"][0]["kind"] == "unreadable"


def test_stats_in_tables_and_json(run: Run, corpus: Path) -> None:
    status, text = run("stats", corpus)
    assert status == 0
    for word in ("by label", "by speaker", "labels by speaker", "speaker2", "happy"):
        assert word in text
    numbers = json.loads(run("stats", corpus, "--json")[1])
    assert numbers["total"]["utterances"] == 12
    assert numbers["by_label"][0] | {"total_s": 3.0} == numbers["by_label"][0]


def test_plot_writes_pictures(run: Run, corpus: Path, tmp_path: Path) -> None:
    status, text = run("plot", corpus, "--out", tmp_path / "pictures")
    assert status == 0
    paths = [Path(line) for line in text.splitlines()]
    assert {p.name for p in paths} == {
        "counts.png",
        "durations.png",
        "utterance-happy.png",
        "utterance-sad.png",
    }
    assert all(p.is_file() for p in paths)


def test_split_keeps_a_file(run: Run, corpus: Path, tmp_path: Path) -> None:
    out = tmp_path / "split.json"
    status, text = run("split", corpus, "--kind", "speaker", "--folds", 3, "--seed", 7, "--out", out)
    assert status == 0
    assert "by speaker, 3 folds, 12 utterances tested, seed 7" in text
    split = load_split(out)
    split.check(read_corpus(corpus).utterances)
    assert "speakers shared" in run("split", corpus, "--kind", "random", "--out", out)[1]
    run("split", corpus, "--kind", "holdout", "--test-speakers", "speaker1, speaker2", "--out", out)
    assert len(load_split(out).folds[0].test) == 8
    run("split", corpus, "--test-speakers", "speaker1", "--out", out)
    assert load_split(out).kind == "holdout"


def test_split_that_cannot_be_leaves_the_old_file(run: Run, corpus: Path, tmp_path: Path) -> None:
    out = tmp_path / "split.json"
    run("split", corpus, "--folds", 3, "--out", out)
    before = out.read_bytes()
    with pytest.raises(SplitError, match="3 speakers are too few for 9 folds"):
        run("split", corpus, "--folds", 9, "--out", out)
    assert out.read_bytes() == before
    with pytest.raises(SplitError, match="cannot be written"):
        run("split", corpus, "--folds", 3, "--out", out / "below")


def test_corpus_that_is_not_there(run: Run, tmp_path: Path) -> None:
    for command in (["check"], ["stats"], ["plot", "--out", tmp_path], ["split", "--out", tmp_path / "s"]):
        with pytest.raises(CorpusError, match="no such folder"):
            run(command[0], tmp_path / "absent", *command[1:])


def test_a_corpus_that_cannot_be_looked_at_is_one_line(run: Run, corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root may read everything, so that the system's refusal is made here."""
    is_file = Path.is_file

    def refused(self: Path) -> bool:
        if self.name == "manifest.csv":
            raise PermissionError(errno.EACCES, "Permission denied", str(self))
        return is_file(self)

    monkeypatch.setattr(Path, "is_file", refused)
    with pytest.raises(CorpusError, match=r"manifest\.csv: Permission denied"):
        run("check", corpus)


@pytest.fixture
def address() -> Iterator[str]:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("wav/03a01Fa.wav", b"x")

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(buffer.getvalue())))
            self.end_headers()
            self.wfile.write(buffer.getvalue())

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/x.zip"
    server.shutdown()
    thread.join()
    server.server_close()


def test_fetch_shows_the_licence_and_wants_it_accepted(
    run: Run, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with pytest.raises(DownloadError, match="licence not accepted, nothing downloaded"):
        run("fetch", "emodb", "--to", tmp_path, "--url", address)
    assert list(tmp_path.iterdir()) == []
    status, text = run("fetch", "emodb", "--to", tmp_path, "--url", address, "--accept-licence")
    assert (status, text) == (0, f"{tmp_path / 'emodb'}\n")
    assert (tmp_path / "emodb" / "wav" / "03a01Fa.wav").is_file()


@pytest.mark.parametrize(("answer", "accepted"), [("y\n", True), ("Yes\n", True), ("\n", False), ("no\n", False)])
def test_fetch_asks_a_person(
    run: Run, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str, accepted: bool
) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    stdin = io.StringIO(answer)
    monkeypatch.setattr(stdin, "isatty", lambda: True)
    monkeypatch.setattr("sys.stdin", stdin)
    if accepted:
        assert run("fetch", "emodb", "--to", tmp_path, "--url", address)[0] == 0
    else:
        with pytest.raises(DownloadError, match="licence not accepted"):
            run("fetch", "emodb", "--to", tmp_path, "--url", address)


def test_fetch_of_another_file_under_the_name(
    run: Run, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with pytest.raises(DownloadError, match="the official one is 208468073"):
        run("fetch", "ravdess", "--to", tmp_path, "--url", address, "--accept-licence")
    with pytest.raises(DownloadError, match="Register"):
        run("fetch", "savee", "--to", tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.data
def test_real_emodb(run: Run, speech_data: Path) -> None:
    status, text = run("check", speech_data / "emodb")
    assert status == 0
    assert "410 of the official 535 utterances" in text
    assert "2 of 10 speakers: 14, 15" in text
