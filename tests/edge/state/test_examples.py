"""The store of examples: bounded, private, with a fair held-out part."""

import errno
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overtone_edge.core.errors import StorageError
from overtone_edge.state.examples import Store

FRONT_END = "f" * 64
LABELS = ("neutral", "happy", "sad", "angry")


def frames(seed: int, count: int = 100) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, 40)).astype(np.float32)


def make(folder: Path, max_bytes: int = 10_000_000, fraction: float = 0.25) -> Store:
    return Store(folder / "store", max_bytes=max_bytes, held_out_fraction=fraction)


def add(store: Store, seed: int, label: str = "happy", **values):
    return store.add(frames(seed), label, front_end=FRONT_END, time_ns=seed, **values)


def test_what_was_stored_comes_back_to_the_bit(tmp_path: Path) -> None:
    store = make(tmp_path)
    add(store, 1)
    add(store, 2, "sad")
    examples = make(tmp_path).examples(FRONT_END, LABELS)
    assert [example.label for example in examples] == ["happy", "sad"]
    assert np.array_equal(examples[0].frames, frames(1))


def test_other_front_ends_and_labels_are_left_out(tmp_path: Path) -> None:
    store = make(tmp_path)
    add(store, 1)
    add(store, 2, "bored")
    assert len(store.examples(FRONT_END, LABELS)) == 1
    assert store.examples("0" * 64, LABELS) == []
    assert store.counts("0" * 64) == (0, 0)


@settings(max_examples=10, deadline=None)
@given(st.floats(0.0, 0.9), st.integers(2, 30))
def test_the_held_out_part_is_fair_for_each_label(fraction: float, count: int) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        store = make(Path(folder), fraction=fraction)
        for seed in range(count):
            add(store, seed, "happy" if seed % 2 else "sad")
        for row in store.counts_by_label().values():
            total = row["training"] + row["held_out"]
            assert abs(row["held_out"] - fraction * total) <= 1.0
            assert row["training"] >= 1


def test_the_same_speech_again_changes_the_label_and_not_its_part(tmp_path: Path) -> None:
    store = make(tmp_path, fraction=0.5)
    first = [add(store, seed) for seed in range(6)]
    again = [store.add(frames(seed), "sad", front_end=FRONT_END, time_ns=100 + seed) for seed in range(6)]
    assert [entry.held_out for entry in first] == [entry.held_out for entry in again]
    assert set(store.counts_by_label()) == {"sad"}
    assert sum(store.counts()) == 6


def test_the_oldest_go_at_the_limit(tmp_path: Path) -> None:
    store = make(tmp_path, max_bytes=60_000)
    for seed in range(8):
        add(store, seed)
        assert store.size_bytes() <= 60_000
    times = [entry.time_ns for entry in store.entries()]
    assert times == sorted(times) and times[-1] == 7 and 0 not in times


def test_an_example_larger_than_the_store_is_refused(tmp_path: Path) -> None:
    store = make(tmp_path, max_bytes=10_000)
    with pytest.raises(StorageError, match=r"example is \d+ bytes, the store's limit is 10000"):
        add(store, 1)
    assert store.counts() == (0, 0)


def test_only_the_owner_can_read(tmp_path: Path) -> None:
    entry = add(make(tmp_path), 1)
    assert entry.path.stat().st_mode & 0o777 == 0o600
    assert entry.path.parent.stat().st_mode & 0o777 == 0o700


def test_audio_is_kept_only_when_it_is_given(tmp_path: Path) -> None:
    store = make(tmp_path)
    assert not add(store, 1).audio.exists()
    kept = add(store, 2, audio=np.zeros(1600, np.float32))
    assert kept.audio.read_bytes().startswith(b"RIFF")
    store.erase()
    assert list(kept.path.parent.iterdir()) == []


def test_a_full_disk_leaves_nothing_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = make(tmp_path)
    add(store, 1)
    before = sorted((tmp_path / "store").iterdir())

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="No space left on device"):
        add(store, 2, audio=np.zeros(1600, np.float32))
    assert sorted((tmp_path / "store").iterdir()) == before


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 rubbish", b"\x80\x04K\x01."])
def test_a_damaged_example_is_left_out_and_named(tmp_path: Path, damage: bytes, caplog) -> None:
    store = make(tmp_path)
    add(store, 1)
    bad = add(store, 2)
    bad.path.write_bytes(damage)
    assert len(store.examples(FRONT_END, LABELS)) == 1
    assert bad.path.name in caplog.text


@pytest.mark.parametrize("bad", [np.zeros((0,), np.float32), np.full((5, 40), np.nan, np.float32), np.zeros((5, 40))])
def test_features_that_cannot_be_are_refused(tmp_path: Path, bad: np.ndarray) -> None:
    with pytest.raises(StorageError, match="finite float32"):
        make(tmp_path).add(bad, "happy", front_end=FRONT_END, time_ns=1)


def test_a_clock_that_was_set_back_does_not_cost_the_label_just_given(tmp_path: Path) -> None:
    store = make(tmp_path)
    add(store, 1_000)
    store = make(tmp_path, max_bytes=store.size_bytes() * 5 // 2)
    add(store, 1_001)
    latest = add(store, 7)
    assert latest.path.exists() and latest.time_ns == 1_002
    assert [entry.time_ns for entry in store.entries()] == [1_001, 1_002]
