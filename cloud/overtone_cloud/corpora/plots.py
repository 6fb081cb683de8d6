"""Plots of a corpus: one waveform and spectrogram per emotion, counts and durations."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from overtone_cloud.corpora import audio
from overtone_cloud.corpora.check import Inspection
from overtone_cloud.corpora.statistics import Statistics, statistics
from overtone_cloud.corpora.utterance import Reading, Utterance
from overtone_cloud.errors import AudioError, CorpusError
from overtone_models.front_end import F32, FrontEndSpec, hz_to_mel, mel_filters
from overtone_models.labels import EMOTIONS

DYNAMIC_RANGE_DB = 70.0
_DPI = 110


def plot(inspection: Inspection, out: Path) -> tuple[Path, ...]:
    """Write the pictures of a corpus into the folder `out` and return their paths."""
    try:
        shown = examples(inspection.reading)
        out.mkdir(parents=True, exist_ok=True)
        numbers = statistics(inspection)
        return (
            _save(counts_figure(numbers), out / "counts.png"),
            _save(durations_figure(inspection, numbers), out / "durations.png"),
            *(_save(utterance_figure(u), out / f"utterance-{u.label}.png") for u in shown),
        )
    except OSError as error:
        raise CorpusError(f"{out}: pictures cannot be written: {error.strerror or error}") from error


def examples(reading: Reading) -> tuple[Utterance, ...]:
    """Return one readable utterance per label, of one speaker and sentence where that is possible."""
    labelled = reading.labelled
    if not labelled:
        raise CorpusError(f"{reading.root}: no utterance with a label to show")
    first = labelled[0]

    def difference(u: Utterance) -> tuple[bool, bool, str]:
        return (u.speaker != first.speaker, u.sentence != first.sentence, u.id)

    selection = []
    for label in (label for label in EMOTIONS if any(u.label == label for u in labelled)):
        candidates = sorted((u for u in labelled if u.label == label), key=difference)
        selection.extend([u for u in candidates[:5] if _readable(u)][:1])
    return tuple(selection)


def log_mel(samples: F32, spec: FrontEndSpec) -> F32:
    """Return `(frames, n_mels)` log-mel power in dB relative to the loudest point."""
    padded = np.pad(samples, (0, max(0, spec.fft_samples - samples.size)))
    frames = np.lib.stride_tricks.sliding_window_view(padded, spec.fft_samples)[:: spec.hop_samples]
    window = np.hanning(spec.fft_samples + 1)[:-1].astype(np.float32)
    power = np.abs(np.fft.rfft(frames * window)) ** 2 @ mel_filters(spec)
    decibels = 10.0 * np.log10(np.maximum(power, spec.floor_power))
    relative: F32 = (decibels - decibels.max()).astype(np.float32)
    return relative


def utterance_figure(utterance: Utterance) -> Figure:
    """Return the waveform above the log-mel spectrogram of one utterance."""
    samples, spec = audio.load(utterance.path), FrontEndSpec()
    seconds = samples.size / spec.sample_rate_hz
    figure = empty_figure(8.0, 4.6)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(1, 2))
    times = np.arange(samples.size) / spec.sample_rate_hz
    above.plot(times, samples, linewidth=0.4, color=EMOTIONS[str(utterance.label)].colour)
    above.set(ylabel="amplitude", ylim=(-1.05 * _peak(samples), 1.05 * _peak(samples)))
    who = f"speaker {utterance.speaker}" if utterance.speaker else "speaker unknown"
    above.set_title(f"{utterance.label} - {utterance.corpus}, {who}, {utterance.path.name}", fontsize=10)
    image = below.imshow(
        log_mel(samples, spec).T,
        origin="lower",
        aspect="auto",
        extent=(0.0, seconds, 0.0, spec.n_mels),
        cmap="magma",
        vmin=-DYNAMIC_RANGE_DB,
        vmax=0.0,
    )
    below.set(xlabel="time (s)", ylabel="frequency (Hz, mel scale)", xlim=(0.0, seconds))
    hertz = np.array([250.0, 500.0, 1000.0, 2000.0, 4000.0])
    lowest, highest = hz_to_mel(np.array([spec.fmin_hz, spec.fmax_hz]))
    bands = (hz_to_mel(hertz) - lowest) / (highest - lowest) * spec.n_mels
    below.set_yticks(bands, [f"{frequency:.0f}" for frequency in hertz])
    figure.colorbar(image, ax=[above, below], label="dB re the loudest", pad=0.02)
    return figure


def counts_figure(numbers: Statistics) -> Figure:
    """Return how many utterances each speaker has of each label, and each label in all."""
    labels = [label for label in numbers.labels if label != "none"]
    figure = empty_figure(9.0, min(20.0, 3.2 + 0.16 * len(numbers.by_speaker)))
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.4))
    counts = [numbers.total.labels[label] for label in labels]
    bars = left.barh(labels, counts, color=[EMOTIONS[label].colour for label in labels])
    left.bar_label(bars, padding=2, fontsize=8)
    left.invert_yaxis()
    left.set(xlabel="utterances", title=f"{numbers.corpus}: {numbers.total.utterances} utterances")
    left.margins(x=0.15)
    table = np.array([[row.labels[label] for label in labels] for row in numbers.by_speaker])
    image = right.imshow(table, aspect="auto", cmap="Blues", vmin=0)
    right.set_xticks(range(len(labels)), labels, rotation=40, ha="right")
    right.set_yticks(range(len(table)), [row.name for row in numbers.by_speaker], fontsize=7)
    right.set(ylabel="speaker", title="by speaker")
    figure.colorbar(image, ax=right, label="utterances")
    return figure


def durations_figure(inspection: Inspection, numbers: Statistics) -> Figure:
    """Return how long the utterances of each label last."""
    labels = [label for label in numbers.labels if label != "none"]
    figure = empty_figure(8.0, 4.0)
    axes = figure.subplots()
    seconds = [
        [inspection.durations_s[u.id] for u in inspection.reading.utterances if u.label == label] for label in labels
    ]
    boxes: dict[str, Any] = axes.boxplot(seconds, patch_artist=True, flierprops={"markersize": 2})
    for box, label in zip(boxes["boxes"], labels, strict=True):
        box.set(facecolor=EMOTIONS[label].colour, alpha=0.7)
    for line in boxes["medians"]:
        line.set_color("black")
    axes.set_xticks(range(1, len(labels) + 1), labels, rotation=30, ha="right")
    minutes = numbers.total.total_s / 60
    axes.set(ylabel="duration (s)", ylim=(0, None), title=f"{numbers.corpus}: {minutes:.0f} min in all")
    axes.grid(axis="y", alpha=0.3)
    return figure


def empty_figure(width_in: float, height_in: float) -> Figure:
    """Return an empty figure that needs no display."""
    figure = Figure(figsize=(width_in, height_in), layout="constrained", dpi=_DPI)
    FigureCanvasAgg(figure)
    return figure


def _save(figure: Figure, path: Path) -> Path:
    figure.savefig(path)
    return path


def _peak(samples: F32) -> float:
    return max(float(np.abs(samples).max()), 1e-3)


def _readable(utterance: Utterance) -> bool:
    try:
        audio.load(utterance.path)
    except AudioError:
        return False
    return True
