"""Ctrl-C while a process is being started."""

import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from overtone_cloud.broker.mosquitto import defer_interrupts
from overtone_cloud.demo import fleet

ASLEEP = (sys.executable, "-c", "import time; time.sleep(60)")


@pytest.fixture(autouse=True)
def heeding() -> object:
    """Ctrl-C as in a terminal: a suite in the background may have been told to ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_an_interrupt_waits_for_the_end_of_the_block() -> None:
    done = []
    with pytest.raises(KeyboardInterrupt), defer_interrupts():
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.05)
        done.append("the rest")
    assert done == ["the rest"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_without_an_interrupt_nothing_changes() -> None:
    with defer_interrupts():
        pass
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    with pytest.raises(ValueError, match="own"), defer_interrupts():
        raise ValueError("own")


def test_other_threads_and_ignored_interrupts_are_left_alone() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with defer_interrupts():
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    signal.signal(signal.SIGINT, signal.default_int_handler)
    seen = []

    def elsewhere() -> None:
        with defer_interrupts():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert seen == [signal.default_int_handler]


def test_a_child_that_is_interrupted_while_it_starts_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started = []
    original = fleet.subprocess.Popen

    def starting(*args: object, **kwargs: object) -> object:
        os.kill(os.getpid(), signal.SIGINT)
        started.append(original(*args, **kwargs))
        return started[0]

    monkeypatch.setattr(fleet.subprocess, "Popen", starting)
    with pytest.raises(KeyboardInterrupt), fleet.ChildProcess("asleep", ASLEEP, tmp_path / "log"):
        pytest.fail("entered")
    assert started[0].poll() is not None


def test_a_child_is_ended_when_it_is_left(tmp_path: Path) -> None:
    with fleet.ChildProcess("asleep", ASLEEP, tmp_path / "log") as child:
        assert child.running
    assert not child.running
