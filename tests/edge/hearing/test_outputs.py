"""Event logs are bounded, whole, and never stop the listening."""

import io
import json
import os
import resource
import signal
from pathlib import Path

import pytest

from overtone_edge.hearing.events import Emotion
from overtone_edge.hearing.outputs import EventPublisher, JsonLines, Outputs, StandardOutput, remove_log


def event(number: int = 0) -> Emotion:
    return Emotion(
        device="a",
        time_s=float(number),
        stream_s=1.0,
        speech_s=0.5,
        label="happy",
        confidence=0.8,
        probabilities={"happy": 0.8, "sad": 0.2},
        final=False,
        bundle_version=3,
    )


def test_a_log_is_rotated_and_bounded(tmp_path: Path) -> None:
    path = tmp_path / "log" / "events.jsonl"
    output = JsonLines(path, max_bytes=1_000, keep_files=2)
    for number in range(60):
        output.emit(event(number))
    output.close()
    files = sorted(path.parent.iterdir())
    assert [file.name for file in files] == ["events.jsonl", "events.jsonl.1", "events.jsonl.2"]
    assert all(file.stat().st_size <= 1_000 for file in files)
    lines = [json.loads(line) for file in reversed(files) for line in file.read_text().splitlines()]
    assert [line["time_s"] for line in lines] == list(range(60 - len(lines), 60))
    assert path.stat().st_mode & 0o077 == 0
    remove_log(path)
    assert list(path.parent.iterdir()) == []


def test_a_full_disk_costs_one_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    stream = io.StringIO()
    full = StandardOutput(os.fdopen(os.open("/dev/full", os.O_WRONLY), "w"))
    outputs = Outputs([full, StandardOutput(stream)])
    for number in range(5):
        outputs.emit(event(number))
    assert len(stream.getvalue().splitlines()) == 5
    assert outputs.failures == 5
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "No space left" in caplog.text
    with pytest.raises(OSError, match="No space"):
        full._stream.close()


def test_a_disk_that_fills_up_within_a_line_keeps_none_of_it(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    outputs = Outputs([JsonLines(path, max_bytes=100_000, keep_files=1)])
    line = len(event().to_json()) + 1
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (line * 5 // 2, before[1]))
        for number in range(5):
            outputs.emit(event(number))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert outputs.failures == 3
    outputs.emit(event(5))
    outputs.close()
    assert [json.loads(text)["time_s"] for text in path.read_text().splitlines()] == [0.0, 1.0, 5.0]


def test_what_cannot_be_published_is_counted() -> None:
    sent: list[bytes] = []
    up = [True]
    output = EventPublisher(lambda data: up[0] and not sent.append(data))
    output.emit(event())
    up[0] = False
    output.emit(event())
    assert len(sent) == 1 and output.dropped == 1
    assert json.loads(sent[0])["label"] == "happy"
