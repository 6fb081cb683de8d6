"""Class, origin and duration statistics of the pool, and what the networks look at."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import fmean
from typing import Any

import numpy as np

from overtone_cloud.corpora import audio
from overtone_papers.common.exploration import exploration_part
from overtone_papers.common.report import Cell, Part, Table
from overtone_papers.ensembles import published
from overtone_papers.ensembles.division import DESCRIPTIONS
from overtone_papers.ensembles.material import LABELS, Material, Rows
from overtone_papers.ensembles.runner import Runner


def statistics_part(runner: Runner) -> Part:
    """Return class, origin and duration statistics of the pool, and how each emotion looks in each corpus."""
    started = time.monotonic()
    seen = exploration_part(
        runner.study, name="statistics", title="The corpora", kinds=("mel-spectrograms", "chromagrams"), per_label=2
    )
    durations = runner.study.step(
        "durations",
        lambda: _durations(runner.material),
        calm=runner.settings.calm,
        read=len(runner.material.utterances),
    )
    mine = (_class_table(runner), _duration_table(runner, durations))
    return replace(seen, tables=(*mine, *seen.tables), seconds=round(time.monotonic() - started, 1))


def _durations(material: Material) -> list[float]:
    return [round(audio.info(u.path).duration_s, 4) for u in material.utterances]


def _groups(runner: Runner) -> Mapping[str, Rows]:
    division, origins = runner.division(runner.settings.splits[0], 0), runner.material.origins
    training = np.concatenate([division.train, division.inner])
    return {
        "training": training,
        "test": division.test,
        **{str(o): np.flatnonzero(origins == o) for o in np.unique(origins)},
    }


def _class_table(runner: Runner) -> Table:
    y = runner.material.y
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (name, *(int((y[own] == k).sum()) for k in range(len(LABELS))), len(own))
        for name, own in _groups(runner).items()
    )
    note = f"Calm: {runner.settings.calm}. Training and test: {DESCRIPTIONS[runner.settings.splits[0]]}, seed 0."
    return Table(title="Utterances by class and origin", columns=("set", *LABELS, "all"), rows=rows, note=note)


def _duration_table(runner: Runner, durations: Sequence[float]) -> Table:
    seconds = np.array(durations)
    rows = [(name, len(own), *_spread(seconds[own])) for name, own in _groups(runner).items()]
    columns = ("set", "utterances", "average s", "longest s", "shortest s", "median s")
    return Table(
        title="Durations", columns=columns, rows=(*published.DURATIONS, *rows), note="The paper's sets beside ours."
    )


def _spread(seconds: Any) -> tuple[Cell, ...]:
    values = [float(v) for v in seconds]
    return tuple(f"{v:.2f}" for v in (fmean(values), max(values), min(values), float(np.median(seconds))))
