"""Slots: the next bundle on trial, the previous one kept."""

from pathlib import Path

import pytest

from overtone_edge.core.errors import StorageError
from overtone_edge.state.slots import MAX_STARTS, Slots


def install(slots: Slots, version: int) -> None:
    slots.activate(slots.stage(b"signed %d" % version, b"payload %d" % version, version))


def test_a_staged_bundle_changes_nothing_until_it_is_activated(tmp_path: Path) -> None:
    slots = Slots(tmp_path)
    install(slots, 1)
    slots.stage(b"signed 2", b"payload 2", 2)
    assert Slots(tmp_path).payload() == b"payload 1"


def test_the_previous_bundle_is_kept_and_comes_back(tmp_path: Path) -> None:
    slots = Slots(tmp_path)
    for version in (1, 2, 3):
        install(slots, version)
        slots.confirm()
    assert slots.payload() == b"payload 3"
    failed = slots.state.current
    back = slots.roll_back()
    assert back is not None and back.version == 2
    assert Slots(tmp_path).payload() == b"payload 2"
    assert failed is not None and failed.signed in slots.state.refused


def test_a_bundle_on_trial_has_a_few_starts(tmp_path: Path) -> None:
    install(Slots(tmp_path), 1)
    assert [Slots(tmp_path).starting() for _ in range(MAX_STARTS + 1)] == [True] * MAX_STARTS + [False]


def test_a_confirmed_bundle_starts_as_often_as_it_likes(tmp_path: Path) -> None:
    slots = Slots(tmp_path)
    install(slots, 1)
    slots.confirm()
    assert all(Slots(tmp_path).starting() for _ in range(10))


def test_a_payload_changed_on_the_disk_is_found(tmp_path: Path) -> None:
    slots = Slots(tmp_path)
    install(slots, 1)
    assert slots.state.current is not None
    slots.payload_path(slots.state.current).write_bytes(b"payload 7")
    with pytest.raises(StorageError, match="its digest differs"):
        slots.payload()


def test_without_a_previous_bundle_nothing_is_left(tmp_path: Path) -> None:
    slots = Slots(tmp_path)
    install(slots, 1)
    assert slots.roll_back() is None
    with pytest.raises(StorageError, match="no bundle is installed"):
        slots.payload()


def test_a_broken_slot_file_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "slots.json").write_text("{")
    with pytest.raises(StorageError, match="not a slot file"):
        Slots(tmp_path)
