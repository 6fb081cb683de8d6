"""A first look at the corpora, as papers C and E give it: counts, durations, and how each emotion looks."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

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
from overtone_papers.common import panels
from overtone_papers.common.pictures import save
from overtone_papers.common.report import Cell, Part, Picture, Table
from overtone_papers.common.study import Study

FOLDER = "exploration"
HEARD_PER_LABEL = 60
HIGH_HZ = 2000.0
PANELS = {
    "waveforms": (panels.waveforms, "Waveforms"),
    "spectrograms": (panels.spectrograms, "Spectrograms"),
    "mel-spectrograms": (panels.mel_spectrograms, "Log-mel spectrograms"),
    "chromagrams": (panels.chromagrams, "Chromagrams"),
}
VOICE_COLUMNS = ("emotion", "heard", "level dBFS", "level varies by dB", "above 2 kHz %", "centroid Hz")


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
    names = [f"{FOLDER}/{corpus}-{kind}.png" for corpus in labelled for kind in ("counts", "durations", *kinds)]
    result = study.step(
        f"{name}-pictures",
        lambda: {corpus: _explored(study, corpus, r, kinds, per_label) for corpus, r in labelled.items()},
        makes=[study.out / path for path in names],
        kinds=list(kinds),
        per_label=per_label,
    )
    pictures = [Picture(path=p, caption=c) for found in result.values() for p, c in found["pictures"]]
    tables = (
        duration_table({corpus: found["durations"] for corpus, found in result.items()}),
        *(_voice_table(corpus, found["voices"]) for corpus, found in result.items()),
    )
    return Part(
        name=name,
        title=title,
        split="none, nothing is trained here",
        tables=tables,
        pictures=tuple(pictures),
        figures={corpus: {key: found[key] for key in ("durations", "voices")} for corpus, found in result.items()},
    )


def _explored(study: Study, corpus: str, reading: Reading, kinds: Sequence[str], per_label: int) -> dict[str, Any]:
    inspection = measure(reading)
    numbers = statistics(inspection)
    folder = study.folder(FOLDER)
    pictures = [
        (_named(save(counts_figure(numbers), folder / f"{corpus}-counts.png")), f"{corpus}: utterances per emotion"),
        (
            _named(save(durations_figure(inspection, numbers), folder / f"{corpus}-durations.png")),
            f"{corpus}: durations",
        ),
    ]
    shown = examples_per_label(inspection, per_label)
    for kind in kinds:
        draw, caption = PANELS[kind]
        study.log(f"{corpus}: {kind}")
        path = save(draw(shown, f"{caption} of {corpus}"), folder / f"{corpus}-{kind}.png")
        pictures.append((_named(path), f"{corpus}: {caption.lower()} of each emotion, one speaker where possible"))
    durations = {row.name: _durations(row) for row in (*numbers.by_label, numbers.total)}
    limit = HEARD_PER_LABEL // 4 if study.quick else HEARD_PER_LABEL
    return {"pictures": pictures, "durations": durations, "voices": voices(inspection.reading, limit)}


def examples_per_label(inspection: Inspection, per_label: int = 1) -> tuple[Utterance, ...]:
    """Return up to `per_label` readable utterances of each label, side by side, alike in speaker and sentence."""
    left, found = inspection.reading, list[Utterance]()
    for _ in range(per_label):
        if not left.labelled:
            break
        found.extend(examples(left))
        taken = {u.id for u in found}
        left = replace(left, utterances=tuple(u for u in left.utterances if u.id not in taken))
    order = ordered({str(u.label) for u in found})
    return tuple(sorted(found, key=lambda u: order.index(str(u.label))))


def duration_table(durations: Mapping[str, Mapping[str, Mapping[str, float]]]) -> Table:
    """Return durations by corpus and emotion: seconds on average, at most, at least, in the middle."""
    columns = ("corpus", "emotion", "utterances", "average s", "longest s", "shortest s", "median s")
    keys = ("average_s", "longest_s", "shortest_s", "median_s")
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (corpus, label, int(row["n"]), *(float(row[key]) for key in keys))
        for corpus, labels in durations.items()
        for label, row in labels.items()
    )
    return Table(title="Utterances and their durations", columns=columns, rows=rows)


def voices(reading: Reading, per_label: int = HEARD_PER_LABEL) -> dict[str, dict[str, float]]:
    """Return how each emotion sounds on average over at most `per_label` utterances of it, evenly chosen."""
    found: dict[str, dict[str, float]] = {}
    for label in ordered({str(u.label) for u in reading.labelled}):
        candidates = [u for u in reading.labelled if u.label == label]
        places = np.unique(np.linspace(0, len(candidates) - 1, min(per_label, len(candidates))).astype(int))
        heard = [voice for voice in (_heard(candidates[i].path) for i in places) if voice is not None]
        if heard:
            means = {key: round(float(np.mean([v[key] for v in heard])), 3) for key in heard[0]}
            found[label] = {"n": float(len(heard)), **means}
    return found


def _heard(path: Path) -> dict[str, float] | None:
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


def _voice_table(corpus: str, found: Mapping[str, Mapping[str, float]]) -> Table:
    rows = tuple(
        (
            label,
            int(v["n"]),
            float(v["level_dbfs"]),
            float(v["variation_db"]),
            100.0 * v["high_share"],
            round(v["centroid_hz"]),
        )
        for label, v in found.items()
    )
    note = "Means over utterances chosen evenly; the level's variation is that of frames within 40 dB of the loudest."
    return Table(title=f"{corpus}: how the emotions sound", columns=VOICE_COLUMNS, rows=rows, note=note)


def _named(path: Path) -> str:
    return f"{FOLDER}/{path.name}"
