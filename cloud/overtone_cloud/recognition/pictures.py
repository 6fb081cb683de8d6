"""Plots of the benchmark: reliability, and accuracy over coverage."""

from collections.abc import Sequence
from pathlib import Path

from overtone_cloud.recognition.reliability import Bin, Cover
from overtone_cloud.reports.plotting import new_figure, save_figure


def plot_reliability(bins: Sequence[Bin], title: str, path: Path) -> None:
    """Draw accuracy over confidence, each dot as large as its number of utterances."""
    figure, axes = new_figure(5.5, 5)
    axes.plot([0, 100], [0, 100], color="0.7", lw=1)
    most = max((b.utterances for b in bins), default=1)
    sizes = [20 + 180 * b.utterances / most for b in bins]
    axes.scatter([100 * b.confidence for b in bins], [100 * b.accuracy for b in bins], s=sizes, color="tab:blue")
    axes.set(xlim=(0, 100), ylim=(0, 100), xlabel="confidence (%)", ylabel="right (%)")
    axes.set_title(title, fontsize=10)
    save_figure(figure, path)


def plot_coverage(curves: Sequence[Sequence[Cover]], own: Sequence[Cover], title: str, path: Path) -> None:
    """Draw, for each seed, accuracy over the share of utterances decided; dots are the models' own thresholds."""
    figure, axes = new_figure(5.5, 5)
    for curve, point in zip(curves, own, strict=True):
        points = [c for c in curve if c.accuracy is not None]
        (line,) = axes.plot([100 * c.coverage for c in points], [100 * (c.accuracy or 0.0) for c in points], lw=1.2)
        if point.accuracy is not None:
            axes.plot(100 * point.coverage, 100 * point.accuracy, "o", color=line.get_color())
    axes.set(xlim=(0, 100), ylim=(0, 100), xlabel="utterances decided (%)", ylabel="of those right (%)")
    axes.set_title(title, fontsize=10)
    save_figure(figure, path)
