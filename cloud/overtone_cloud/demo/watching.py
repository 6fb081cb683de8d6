"""Telling the rounds as they end, from what the aggregator has committed."""

import sqlite3
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path

from overtone_cloud.demo.fleet import Child, DemoError, last_line

TIMEOUT_S = 150.0
QUERY = """
    select number, outcome, uar_before, uar_after, reason from rounds where ended_at is not null order by number
"""

Say = Callable[[str], None]


def watch_rounds(database: Path, aggregator: Child, agents: Iterable[Child], say: Say) -> None:
    """Return when the aggregator has ended well; every agent must live till then. Raises DemoError."""
    agents = list(agents)
    end = time.monotonic() + TIMEOUT_S
    told = 0
    while aggregator.running:
        if time.monotonic() > end:
            raise DemoError(f"the rounds did not end: {last_line(aggregator.log)} ({aggregator.log})")
        for agent in agents:
            agent.check()
        time.sleep(0.5)
        told = _tell(database, told, say)
    if aggregator.wait(1):
        aggregator.check()
    _tell(database, told, say)


def _tell(database: Path, told: int, say: Say) -> int:
    """Say which rounds ended since `told`; return how many have."""
    if not database.exists():
        return told
    try:
        with closing(sqlite3.connect(f"{database.resolve().as_uri()}?mode=ro", uri=True, timeout=1)) as connection:
            rows = connection.execute(QUERY).fetchall()
    except sqlite3.OperationalError:  # the aggregator has just begun, or is writing
        return told
    for number, outcome, before, after, reason in rows[told:]:
        figures = "" if after is None else f", UAR {100 * before:.1f} -> {100 * after:.1f} %"
        why = f" ({reason})" if outcome != "kept" and reason else ""
        say(f"    round {number}: {outcome}{figures}{why}")
    return len(rows)
