"""Freed memory is returned to the system."""

import platform

import pytest

from overtone_edge.bench.machine import resident_mb
from overtone_edge.hearing.listener import trim_memory


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries give nothing back on demand")
def test_freed_memory_is_returned() -> None:
    blocks = [bytes(2_000) for _ in range(20_000)]
    pinned = blocks[-1]
    held_mb = resident_mb()
    del blocks
    trim_memory()
    assert resident_mb() < held_mb - 20.0
    assert len(pinned) == 2_000


def test_a_c_library_without_it_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("overtone_edge.hearing.listener.ctypes.CDLL", lambda _name: object())
    trim_memory()
