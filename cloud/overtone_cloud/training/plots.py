"""Plots of a training's history and of confusions."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from overtone_cloud.reports.plotting import new_figure, save_figure
from overtone_models.metrics import Targets


def plot_curves(history: Sequence[dict[str, float]], path: Path) -> None:
    """Draw training loss and the inner speakers' UAR over epochs."""
    figure, axes = new_figure(7, 4)
    axes.plot([e["epoch"] for e in history], [e["loss"] for e in history], color="tab:blue", label="training loss")
    axes.set_xlabel("epoch")
    axes.set_ylabel("loss (nats)", color="tab:blue")
    evaluated = [e for e in history if "inner_uar" in e]
    second = axes.twinx()
    second.plot(
        [e["epoch"] for e in evaluated], [100 * e["inner_uar"] for e in evaluated], "o-", ms=3, color="tab:orange"
    )
    second.set_ylabel("UAR of inner speakers (%)", color="tab:orange")
    second.set_ylim(0, 100)
    save_figure(figure, path)


def plot_confusion(confusion: Targets, labels: Sequence[str], title: str, path: Path) -> None:
    """Draw a confusion matrix: shares of each true class, counts written in the cells."""
    figure, axes = new_figure(0.7 * len(labels) + 2.5, 0.7 * len(labels) + 2)
    totals = np.maximum(confusion.sum(1, keepdims=True), 1)
    shares = confusion / totals
    axes.imshow(shares, vmin=0, vmax=1, cmap="Blues")
    for row, column in np.ndindex(*confusion.shape):
        colour = "white" if shares[row, column] > 0.5 else "black"
        axes.text(column, row, str(confusion[row, column]), ha="center", va="center", color=colour, fontsize=8)
    axes.set_xticks(range(len(labels)), labels, rotation=45, ha="right")
    axes.set_yticks(range(len(labels)), labels)
    axes.set_xlabel("recognised")
    axes.set_ylabel("spoken")
    axes.set_title(title, fontsize=10)
    save_figure(figure, path)
