"""A first look at the corpora, as papers C and E give it: counts, durations, and how each emotion looks."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from overtone_cloud.corpora import audio
from overtone_cloud.corpora.check import Inspection, measure
from overtone_cloud.corpora.plots import counts_figure, durations_figure, examples
from overtone_cloud.corpora.statistics import Row, statistics
from overtone_cloud.corpora.utterance import Reading, Utterance
from overtone_cloud.errors import AudioError
from overtone_common.audio import SAMPLE_RATE_HZ
from overtone_models.features.spectra import magnitudes
from overtone_models.front_end import F32
from overtone_models.labels import ordered
from overtone_papers.common.panels import PANELS
from overtone_papers.common.pictures import save
from overtone_papers.common.report import Part, Picture, Table
from overtone_papers.common.study import Study
from overtone_papers.common.tables import Columns, table

FOLDER = "exploration"
VOICES_PER_LABEL = 60
HIGH_HZ = 2000.0
VOICE_COLUMNS: Columns = {
    "heard": lambda voice: int(voice["n"]),
    "level dBFS": "level_dbfs",
    "level varies by dB": "variation_db",
    "above 2 kHz %": "high_share",
    "centroid Hz": lambda voice: round(voice["centroid_hz"]),
}
DURATION_COLUMNS: Columns = {
    "utterances": lambda row: int(row["n"]),
    "average s": "average_s",
    "longest s": "longest_s",
    "shortest s": "shortest_s",
    "median s": "median_s",
}


def exploration_part(
    study: Study,
    *,
    name: str = "exploration",
    title: str = "The corpora at first sight",
    kinds: Sequence[str] = ("waveforms", "spectrograms"),
    per_label: int = 1,
) -> Part:
    """Return counts, durations, voices and pictures of every corpus with labels; `kinds` are keys of `PANELS`.

    `figures["voices"][corpus][emotion]` has the numbers of the last table.
    """
    labelled = {corpus: reading for corpus, reading in study.readings.items() if reading.labelled}
    captions = {"counts": "utterances per emotion", "durations": "durations"}
    captions |= {kind: f"{PANELS[kind].caption.lower()} of each emotion, one speaker where possible" for kind in kinds}
    pictures = tuple(
        Picture(path=f"{FOLDER}/{corpus}-{kind}.png", caption=f"{corpus}: {caption}")
        for corpus in labelled
        for kind, caption in captions.items()
    )
    figures = study.step(
        f"{name}-pictures",
        lambda: {corpus: _explored(study, corpus, r, kinds, per_label) for corpus, r in labelled.items()},
        makes=[study.out / picture.path for picture in pictures],
        kinds=list(kinds),
        per_label=per_label,
    )
    rows = {(corpus, label): row for corpus, own in figures.items() for label, row in own["durations"].items()}
    durations = table("Utterances and their durations", DURATION_COLUMNS, rows, heads=("corpus", "emotion"))
    return Part(
        name=name,
        title=title,
        split="none, nothing is trained here",
        tables=(durations, *(_voice_table(corpus, own["voices"]) for corpus, own in figures.items())),
        pictures=pictures,
        figures=figures,
    )


def _explored(study: Study, corpus: str, reading: Reading, kinds: Sequence[str], per_label: int) -> dict[str, Any]:
    """Return durations and voices of a corpus; draw its pictures."""
    inspection = measure(reading)
    numbers = statistics(inspection)
    shown = examples_per_label(inspection, per_label)
    drawn: dict[str, Callable[[], Figure]] = {
        "counts": lambda: counts_figure(numbers),
        "durations": lambda: durations_figure(inspection, numbers),
    }
    drawn |= {kind: partial(PANELS[kind].figure, shown, f"{PANELS[kind].caption} of {corpus}") for kind in kinds}
    for kind, figure in drawn.items():
        study.log(f"{corpus}: {kind}")
        save(figure(), study.folder(FOLDER) / f"{corpus}-{kind}.png")
    durations = {row.name: _durations(row) for row in (*numbers.by_label, numbers.total)}
    limit = VOICES_PER_LABEL // 4 if study.quick else VOICES_PER_LABEL
    return {"durations": durations, "voices": voices(inspection.reading, limit)}


def examples_per_label(inspection: Inspection, per_label: int = 1) -> tuple[Utterance, ...]:
    """Return up to `per_label` readable utterances of each label, side by side, alike in speaker and sentence."""
    rest, chosen = inspection.reading, list[Utterance]()
    for _ in range(per_label):
        if not rest.labelled:
            break
        chosen.extend(examples(rest))
        taken = {u.id for u in chosen}
        rest = replace(rest, utterances=tuple(u for u in rest.utterances if u.id not in taken))
    order = ordered({str(u.label) for u in chosen})
    return tuple(sorted(chosen, key=lambda u: order.index(str(u.label))))


def voices(reading: Reading, per_label: int = VOICES_PER_LABEL) -> dict[str, dict[str, float]]:
    """Return how each emotion sounds on average over at most `per_label` utterances of it, evenly chosen."""
    means: dict[str, dict[str, float]] = {}
    for label in ordered({str(u.label) for u in reading.labelled}):
        candidates = [u for u in reading.labelled if u.label == label]
        places = np.unique(np.linspace(0, len(candidates) - 1, min(per_label, len(candidates))).astype(int))
        measured = [own for own in (_voice_of(candidates[i].path) for i in places) if own is not None]
        if measured:
            figures = {key: round(float(np.mean([v[key] for v in measured])), 3) for key in measured[0]}
            means[label] = {"n": float(len(measured)), **figures}
    return means


def _voice_of(path: Path) -> dict[str, float] | None:
    try:
        return voice(audio.load(path))
    except AudioError:
        return None


def voice(samples: F32) -> dict[str, float]:
    """Return level, its variation, the share of energy above 2 kHz and the spectral centroid of 16 kHz sound.

    The variation is the standard deviation of the frames' levels, of those within 40 dB of the loudest.
    """
    power = np.square(magnitudes(samples).astype(np.float64)) + 1e-12
    hertz = np.linspace(0.0, SAMPLE_RATE_HZ / 2, power.shape[1])
    frames = 10.0 * np.log10(power.sum(1))
    spectrum = power.sum(0)
    return {
        "level_dbfs": float(10.0 * np.log10(np.square(samples, dtype=np.float64).mean() + 1e-12)),
        "variation_db": float(frames[frames > frames.max() - 40.0].std()),
        "high_share": float(spectrum[hertz >= HIGH_HZ].sum() / spectrum.sum()),
        "centroid_hz": float((hertz * spectrum).sum() / spectrum.sum()),
    }


def _durations(row: Row) -> dict[str, float]:
    average = row.total_s / max(1, row.utterances)
    seconds = {"average_s": average, "longest_s": row.longest_s, "shortest_s": row.shortest_s, "median_s": row.median_s}
    return {"n": float(row.utterances), **{key: round(value, 3) for key, value in seconds.items()}}


def _voice_table(corpus: str, means: Mapping[str, Mapping[str, float]]) -> Table:
    note = "Means over utterances chosen evenly; the level's variation is that of frames within 40 dB of the loudest."
    rows = {(label,): own for label, own in means.items()}
    return table(f"{corpus}: how the emotions sound", VOICE_COLUMNS, rows, heads=("emotion",), note=note)
