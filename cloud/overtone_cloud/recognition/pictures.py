"""Plots of the benchmark: reliability, and accuracy over coverage."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from overtone_cloud.recognition.reliability import Bin, Cover


def _figure() -> tuple[Any, Any]:
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    return plt.subplots(figsize=(5.5, 5), layout="constrained")


def _save(figure: Any, path: Path) -> None:
    from matplotlib import pyplot as plt

    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
    plt.close(figure)


def plot_reliability(bins: Sequence[Bin], title: str, path: Path) -> None:
    """Draw accuracy over confidence, each dot as large as its number of utterances."""
    figure, axes = _figure()
    axes.plot([0, 100], [0, 100], color="0.7", lw=1)
    most = max((b.utterances for b in bins), default=1)
    sizes = [20 + 180 * b.utterances / most for b in bins]
    axes.scatter([100 * b.confidence for b in bins], [100 * b.accuracy for b in bins], s=sizes, color="tab:blue")
    axes.set(xlim=(0, 100), ylim=(0, 100), xlabel="confidence (%)", ylabel="right (%)")
    axes.set_title(title, fontsize=10)
    _save(figure, path)


def plot_coverage(curves: Sequence[Sequence[Cover]], own: Sequence[Cover], title: str, path: Path) -> None:
    """Draw, for each seed, accuracy over the share of utterances decided; dots are the models' own thresholds."""
    figure, axes = _figure()
    for curve, chosen in zip(curves, own, strict=True):
        known = [c for c in curve if c.accuracy is not None]
        (line,) = axes.plot([100 * c.coverage for c in known], [100 * (c.accuracy or 0.0) for c in known], lw=1.2)
        if chosen.accuracy is not None:
            axes.plot(100 * chosen.coverage, 100 * chosen.accuracy, "o", color=line.get_color())
    axes.set(xlim=(0, 100), ylim=(0, 100), xlabel="utterances decided (%)", ylabel="of those right (%)")
    axes.set_title(title, fontsize=10)
    _save(figure, path)
