"""Windows of a signed bundle, and files that went wrong."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.support.model_doubles import first_model, small_layout

from overtone_cloud.aggregator import journal
from overtone_cloud.aggregator.errors import AggregatorError, ReleaseError
from overtone_cloud.aggregator.releases import BundleReader, announcement, measure
from overtone_cloud.aggregator.state import ReleaseRow
from overtone_protocol import Assembly, Fetch, Limits

LIMITS = Limits(chunk_bytes=100, max_bundle_bytes=5000)


@pytest.fixture
def release(make_rig: Callable[..., Any]) -> ReleaseRow:
    rig = make_rig()
    with rig.store().begin() as session:
        file = measure(rig.initial.path, LIMITS)
        return journal.add_release(session, rig.initial, file, 0, None, now=1.0)


def test_windows_make_the_file_again(release: ReleaseRow) -> None:
    offer = announcement(release, LIMITS)
    assembly = Assembly(offer.bundle, offer.size, offer.chunk_size, offer.chunks, LIMITS)
    shelf = BundleReader(LIMITS)
    while not assembly.complete:
        fetch = Fetch(device="pi-1", bundle=offer.bundle, indices=tuple(assembly.window(2)))
        for chunk in shelf.window(fetch, release):
            assert chunk.device == "aggregator" and assembly.add(chunk.index, chunk.data)
    assert assembly.payload() == Path(release.path).read_bytes()


def test_an_index_outside_the_bundle_is_refused(release: ReleaseRow) -> None:
    fetch = Fetch(device="pi-1", bundle=release.digest, indices=(99,))
    with pytest.raises(ReleaseError, match=r"chunk 99 is requested, release 1 has 0\.\.\d"):
        BundleReader(LIMITS).window(fetch, release)


def test_a_file_that_changed_by_one_bit_is_not_sent(release: ReleaseRow) -> None:
    path = Path(release.path)
    data = bytearray(path.read_bytes())
    data[7] ^= 1
    path.write_bytes(data)
    with pytest.raises(ReleaseError, match="changed since release 1"):
        BundleReader(LIMITS).window(Fetch(device="pi-1", bundle=release.digest, indices=(0,)), release)
    path.unlink()
    with pytest.raises(ReleaseError, match="No such file"):
        BundleReader(LIMITS).window(Fetch(device="pi-1", bundle=release.digest, indices=(0,)), release)


def test_an_empty_or_huge_bundle_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "huge").write_bytes(bytes(5001))
    with pytest.raises(ReleaseError, match="bundle is 0 bytes"):
        measure(tmp_path / "empty", LIMITS)
    with pytest.raises(ReleaseError, match="bundle is 5001 bytes, limit is 5000"):
        measure(tmp_path / "huge", LIMITS)


def test_another_layout_needs_a_higher_version(make_rig: Callable[..., Any]) -> None:
    rig = make_rig()
    rig.aggregator().run(rounds=0)
    rig.close()
    rig.initial = first_model(rig.folder / "other", layout=small_layout(60, 10))
    with pytest.raises(AggregatorError, match="needs a higher version"):
        rig.aggregator().run(rounds=0)


@pytest.mark.parametrize("rounds", [0, 1])
def test_a_replaced_bundle_needs_a_higher_version(make_rig: Callable[..., Any], rounds: int) -> None:
    rig = make_rig()
    for i in range(3):
        rig.device(f"pi-{i}")
    first, kept = rig.initial, rig.initial.path.read_bytes()
    rig.aggregator().run(rounds=rounds)
    rig.close()
    rig.initial = first_model(rig.folder / "releases", seed=99)
    assert rig.initial.path == first.path
    with pytest.raises(AggregatorError, match=r"version 1 is not the bundle that release .* needs a higher version"):
        rig.aggregator().run(rounds=rounds)
    rig.close()
    rig.initial = first
    first.path.write_bytes(kept)
    rig.aggregator().run(rounds=rounds)


def test_a_bundle_that_was_replaced_does_not_come_back(make_rig: Callable[..., Any]) -> None:
    rig = make_rig()
    rig.aggregator().run(rounds=0)
    rig.close()
    first, second = rig.initial, first_model(rig.folder / "other", seed=99)
    rig.initial = replace(second, version=2)
    rig.aggregator().run(rounds=0)
    rig.close()
    rig.initial = first
    with pytest.raises(AggregatorError, match="version 1 is not the bundle that release 2 derives from"):
        rig.aggregator().run(rounds=0)
