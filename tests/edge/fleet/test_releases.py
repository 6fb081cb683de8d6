"""Fetching a release: in windows, with resume, and never the same bad one twice."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from overtone_edge.fleet.releases import MAX_DIGEST_MISMATCHES, ReleaseFetcher
from overtone_edge.fleet.rounds import Backoff
from overtone_edge.state.slots import HeldOutQuality, Slots
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
    def make() -> ReleaseFetcher:
        (tmp_path / "incoming").mkdir(exist_ok=True)
        slots = Slots(tmp_path / "slots")
        return ReleaseFetcher(
            "device-a", slots, tmp_path / "incoming", backoff=Backoff(first_s=2.0, longest_s=8.0, draw=lambda: 0.5)
        )

    return make


def drain(fetcher: ReleaseFetcher, messages: list, data: bytes = SIGNED) -> list:
    """Answer fetches until there are none; return the messages that are no fetches."""
    others = []
    while messages:
        message = messages.pop(0)
        if isinstance(message, Fetch):
            assert len(message.indices) <= 16
            for chunk in chunks(message, data):
                messages += fetcher.chunk(chunk, 0.0)
        else:
            others.append(message)
    return others


def test_a_release_is_fetched_window_by_window(make) -> None:
    fetcher = make()
    assert drain(fetcher, fetcher.release(release(), 0.0)) == []
    assert fetcher.ready is not None
    assert fetcher.ready[1].read_bytes() == SIGNED
    assert fetcher.release(release(), 1.0) == []
    health = fetcher.settled(release(), error="")
    assert health.state == "installed" and fetcher.ready is None


def test_a_download_goes_on_after_a_restart(make) -> None:
    fetcher = make()
    (fetch,) = fetcher.release(release(), 0.0)
    for chunk in chunks(fetch)[:10]:
        assert fetcher.chunk(chunk, 0.0) == []
    again = make()
    (fetch,) = again.release(release(), 0.0)
    assert fetch.indices[0] == 10
    drain(again, [fetch])
    assert again.ready is not None


def test_chunks_twice_and_out_of_order(make) -> None:
    fetcher = make()
    (fetch,) = fetcher.release(release(), 0.0)
    first = chunks(fetch)
    for chunk in (*reversed(first[1:]), *first[1:]):
        assert fetcher.chunk(chunk, 0.0) == []
    drain(fetcher, fetcher.chunk(first[0], 0.0))
    assert fetcher.ready is not None


def test_what_does_not_come_is_asked_for_again(make) -> None:
    fetcher = make()
    (fetch,) = fetcher.release(release(), 0.0)
    assert fetcher.tick(1.9) == []
    assert fetcher.tick(2.0) == [fetch]
    assert fetcher.tick(5.0) == []
    assert fetcher.tick(6.0) == [fetch]
    assert fetcher.connected(6.1) == [fetch]


def test_a_damaged_bundle_is_given_up_and_not_fetched_again(make) -> None:
    fetcher = make()
    wrong = bytes([SIGNED[0] ^ 1]) + SIGNED[1:]
    (health,) = drain(fetcher, fetcher.release(release(), 0.0), wrong)
    assert isinstance(health, Health) and health.state == "refused" and "digest" in health.detail
    assert fetcher.ready is None
    assert MAX_DIGEST_MISMATCHES == 3
    (again,) = make().release(release(), 0.0)
    assert isinstance(again, Health) and again.state == "refused"


def test_a_refused_bundle_is_not_fetched_again(make) -> None:
    fetcher = make()
    drain(fetcher, fetcher.release(release(), 0.0))
    assert fetcher.settled(release(), error="self-test failed\nbadly").detail == "self-test failed badly"
    (again,) = make().release(release(), 0.0)
    assert isinstance(again, Health) and again.state == "refused"


@pytest.mark.parametrize(
    "bad", [Chunk(AGGREGATOR, release().bundle, 999, b"x"), Chunk(AGGREGATOR, release().bundle, 0, b"x")]
)
def test_chunks_that_cannot_be_are_errors(make, bad: Chunk) -> None:
    fetcher = make()
    fetcher.release(release(), 0.0)
    with pytest.raises(TransferError, match="chunk"):
        fetcher.chunk(bad, 0.0)


def test_chunks_nobody_asked_for_are_ignored(make) -> None:
    assert make().chunk(Chunk(AGGREGATOR, bytes(32), 0, b"x"), 0.0) == []


def test_a_newer_release_takes_the_place_of_one_under_way(make) -> None:
    fetcher = make()
    fetcher.release(release(), 0.0)
    other = SIGNED[::-1]
    drain(fetcher, fetcher.release(release(other, 3), 0.0), other)
    assert fetcher.ready is not None and fetcher.ready[0].version == 3


def test_an_installation_that_the_device_prevented_is_tried_again_with_patience(make) -> None:
    fetcher = make()
    drain(fetcher, fetcher.release(release(), 0.0))
    assert fetcher.installable(0.0) == fetcher.ready
    fetcher.postpone(release(), "no space left", 0.0)
    assert fetcher.installable(1.9) is None and fetcher.installable(2.0) == fetcher.ready
    fetcher.postpone(release(), "no space left", 2.0)
    assert fetcher.installable(5.9) is None and fetcher.installable(6.0) == fetcher.ready
    assert fetcher.release(release(), 7.0) == []
    assert fetcher.settled(release(), error="").state == "installed"


def test_the_end_of_one_installation_leaves_the_next_release_alone(make, tmp_path: Path) -> None:
    fetcher = make()
    drain(fetcher, fetcher.release(release(), 0.0))
    first, other = fetcher.ready, SIGNED[::-1]
    drain(fetcher, fetcher.release(release(other, 3), 0.0), other)
    assert first is not None and first[1].read_bytes() == SIGNED
    assert fetcher.settled(release(), error="").bundle == release().bundle
    assert fetcher.ready is not None and fetcher.ready[1].read_bytes() == other
    fetcher.settled(release(other, 3), error="")
    assert list((tmp_path / "incoming").glob("*.bundle")) == []


def test_quality_goes_into_the_report(make) -> None:
    fetcher = make()
    drain(fetcher, fetcher.release(release(), 0.0))
    report = fetcher.settled(release(), error="", quality=HeldOutQuality(7, 0.5, 1.5))
    assert (report.state, report.held_out, report.uar, report.loss) == ("installed", 7, 0.5, 1.5)


def test_an_older_release_is_refused_unless_nobody_signed_what_is_installed(make, tmp_path: Path) -> None:
    slots = Slots(tmp_path / "slots")
    slots.activate(slots.stage(b"signed", b"payload", 7))
    (report,) = make().release(release(version=6), 0.0)
    assert isinstance(report, Health) and report.detail == "version 6 is older than the installed 7"
    assert isinstance(make().release(release(version=7), 0.0)[0], Fetch)
    slots.activate(slots.stage(b"payload", b"payload", 7))
    assert isinstance(make().release(release(version=6), 0.0)[0], Fetch)


def test_what_a_killed_agent_left_is_removed(make, tmp_path: Path) -> None:
    fetcher = make()
    drain(fetcher, fetcher.release(release(), 0.0))
    assert fetcher.connected(0.0) == [] and len(list((tmp_path / "incoming").glob("*.bundle"))) == 1
    make().connected(0.0)
    assert list((tmp_path / "incoming").glob("*.bundle")) == []
