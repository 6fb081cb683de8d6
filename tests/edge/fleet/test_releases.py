"""Fetching a release: in windows, with resume, and never the same bad one twice."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from overtone_edge.fleet.releases import MAX_DAMAGED, Updates
from overtone_edge.fleet.rounds import Patience
from overtone_edge.state.slots import Slots
from overtone_protocol import AGGREGATOR, Chunk, Fetch, Health, Release, TransferError, chunk_count, split

SIGNED = np.random.default_rng(0).bytes(200_000)
SIZE = 5_000


def release(data: bytes = SIGNED, version: int = 2) -> Release:
    return Release(
        bundle=hashlib.sha256(data).digest(),
        version=version,
        size=len(data),
        chunk_size=SIZE,
        chunks=chunk_count(len(data), SIZE),
        base=bytes(32),
        round=1,
    )


def chunks(fetch: Fetch, data: bytes = SIGNED) -> list[Chunk]:
    parts = split(data, SIZE)
    return [Chunk(AGGREGATOR, fetch.bundle, index, parts[index]) for index in fetch.indices]


@pytest.fixture
def make(tmp_path: Path):
    def make() -> Updates:
        (tmp_path / "incoming").mkdir(exist_ok=True)
        slots = Slots(tmp_path / "slots")
        return Updates(
            "device-a", slots, tmp_path / "incoming", patience=Patience(first_s=2.0, longest_s=8.0, draw=lambda: 0.5)
        )

    return make


def drain(updates: Updates, messages: list, data: bytes = SIGNED) -> list:
    """Answer fetches until there are none; return the messages that are no fetches."""
    others = []
    while messages:
        message = messages.pop(0)
        if isinstance(message, Fetch):
            assert len(message.indices) <= 16
            for chunk in chunks(message, data):
                messages += updates.chunk(chunk, 0.0)
        else:
            others.append(message)
    return others


def test_a_release_is_fetched_window_by_window(make) -> None:
    updates = make()
    assert drain(updates, updates.release(release(), 0.0)) == []
    assert updates.ready is not None
    assert updates.ready[1].read_bytes() == SIGNED
    assert updates.release(release(), 1.0) == []
    health = updates.settled(release(), error="")
    assert health.state == "installed" and updates.ready is None


def test_a_download_goes_on_after_a_restart(make) -> None:
    updates = make()
    (fetch,) = updates.release(release(), 0.0)
    for chunk in chunks(fetch)[:10]:
        assert updates.chunk(chunk, 0.0) == []
    again = make()
    (fetch,) = again.release(release(), 0.0)
    assert fetch.indices[0] == 10
    drain(again, [fetch])
    assert again.ready is not None


def test_chunks_twice_and_out_of_order(make) -> None:
    updates = make()
    (fetch,) = updates.release(release(), 0.0)
    first = chunks(fetch)
    for chunk in (*reversed(first[1:]), *first[1:]):
        assert updates.chunk(chunk, 0.0) == []
    drain(updates, updates.chunk(first[0], 0.0))
    assert updates.ready is not None


def test_what_does_not_come_is_asked_for_again(make) -> None:
    updates = make()
    (fetch,) = updates.release(release(), 0.0)
    assert updates.tick(1.9) == []
    assert updates.tick(2.0) == [fetch]
    assert updates.tick(5.0) == []
    assert updates.tick(6.0) == [fetch]
    assert updates.connected(6.1) == [fetch]


def test_a_damaged_bundle_is_given_up_and_not_fetched_again(make) -> None:
    updates = make()
    wrong = bytes([SIGNED[0] ^ 1]) + SIGNED[1:]
    (health,) = drain(updates, updates.release(release(), 0.0), wrong)
    assert isinstance(health, Health) and health.state == "refused" and "digest" in health.detail
    assert updates.ready is None
    assert MAX_DAMAGED == 3
    (again,) = make().release(release(), 0.0)
    assert isinstance(again, Health) and again.state == "refused"


def test_a_refused_bundle_is_not_fetched_again(make) -> None:
    updates = make()
    drain(updates, updates.release(release(), 0.0))
    assert updates.settled(release(), error="self-test failed\nbadly").detail == "self-test failed badly"
    (again,) = make().release(release(), 0.0)
    assert isinstance(again, Health) and again.state == "refused"


@pytest.mark.parametrize(
    "bad", [Chunk(AGGREGATOR, release().bundle, 999, b"x"), Chunk(AGGREGATOR, release().bundle, 0, b"x")]
)
def test_chunks_that_cannot_be_are_errors(make, bad: Chunk) -> None:
    updates = make()
    updates.release(release(), 0.0)
    with pytest.raises(TransferError, match="chunk"):
        updates.chunk(bad, 0.0)


def test_chunks_nobody_asked_for_are_ignored(make) -> None:
    assert make().chunk(Chunk(AGGREGATOR, bytes(32), 0, b"x"), 0.0) == []


def test_a_newer_release_takes_the_place_of_one_under_way(make) -> None:
    updates = make()
    updates.release(release(), 0.0)
    other = SIGNED[::-1]
    drain(updates, updates.release(release(other, 3), 0.0), other)
    assert updates.ready is not None and updates.ready[0].version == 3


def test_an_installation_that_the_device_prevented_is_tried_again_with_patience(make) -> None:
    updates = make()
    drain(updates, updates.release(release(), 0.0))
    assert updates.due(0.0) == updates.ready
    updates.postpone(release(), "no space left", 0.0)
    assert updates.due(1.9) is None and updates.due(2.0) == updates.ready
    updates.postpone(release(), "no space left", 2.0)
    assert updates.due(5.9) is None and updates.due(6.0) == updates.ready
    assert updates.release(release(), 7.0) == []
    assert updates.settled(release(), error="").state == "installed"


def test_the_end_of_one_installation_leaves_the_next_release_alone(make, tmp_path: Path) -> None:
    updates = make()
    drain(updates, updates.release(release(), 0.0))
    first, other = updates.ready, SIGNED[::-1]
    drain(updates, updates.release(release(other, 3), 0.0), other)
    assert first is not None and first[1].read_bytes() == SIGNED
    assert updates.settled(release(), error="").bundle == release().bundle
    assert updates.ready is not None and updates.ready[1].read_bytes() == other
    updates.settled(release(other, 3), error="")
    assert list((tmp_path / "incoming").glob("*.bundle")) == []


def test_an_older_release_is_refused_unless_nobody_signed_what_is_installed(make, tmp_path: Path) -> None:
    slots = Slots(tmp_path / "slots")
    slots.activate(slots.stage(b"signed", b"payload", 7))
    (report,) = make().release(release(version=6), 0.0)
    assert isinstance(report, Health) and report.detail == "version 6 is older than the installed 7"
    assert isinstance(make().release(release(version=7), 0.0)[0], Fetch)
    slots.activate(slots.stage(b"payload", b"payload", 7))
    assert isinstance(make().release(release(version=6), 0.0)[0], Fetch)


def test_what_a_killed_agent_left_is_removed(make, tmp_path: Path) -> None:
    updates = make()
    drain(updates, updates.release(release(), 0.0))
    assert updates.connected(0.0) == [] and len(list((tmp_path / "incoming").glob("*.bundle"))) == 1
    make().connected(0.0)
    assert list((tmp_path / "incoming").glob("*.bundle")) == []
