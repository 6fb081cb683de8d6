"""Databases of older versions open, and show what later versions add."""

import sqlite3
from pathlib import Path

import pytest

from overtone_cloud.aggregator.registry import note_health, note_presence
from overtone_cloud.aggregator.state import Store
from overtone_cloud.aggregator.status import as_text, status
from overtone_protocol import Health, Presence

ADDED = ("health_held_out", "health_uar", "health_loss")


@pytest.fixture
def old(tmp_path: Path) -> str:
    """A database without the columns for held-out quality, with one device."""
    url = f"sqlite:///{tmp_path / 'a.sqlite'}"
    store = Store(url).create()
    with store.begin() as session:
        note_presence(session, Presence("pi", True, bytes(16), "overtone 0.1.0", "runtime"), 1.0)
    store.close()
    with sqlite3.connect(tmp_path / "a.sqlite") as connection:
        for column in ADDED:
            connection.execute(f"ALTER TABLE devices DROP COLUMN {column}")
    connection.close()
    return url


def test_an_old_database_opens_and_takes_held_out_quality(old: str) -> None:
    store = Store(old).must_exist()
    with store.begin() as session:
        (device,) = status(session)["devices"]
        assert device["id"] == "pi" and [device[name] for name in ADDED] == [None] * 3
        note_health(session, Health("pi", bytes(32), 2, "installed", held_out=8, uar=0.75, loss=0.5))
    store.close()
    store = Store(old).create()
    with store.begin() as session:
        report = status(session)
        assert [report["devices"][0][name] for name in ADDED] == [8, 0.75, 0.5]
        assert "0.7500" in as_text(report)
        note_health(session, Health("pi", bytes(32), 3, "installed"))
        assert [status(session)["devices"][0][name] for name in ADDED] == [None] * 3
    store.close()
