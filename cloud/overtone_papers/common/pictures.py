"""Pictures of the papers' reports: curves, confusions, lines and grids of spectrograms, as PNG."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from overtone_cloud.errors import TrainingError
from overtone_cloud.training.plots import plot_confusion
from overtone_models.front_end import F32
from overtone_papers.common.report import History, Picture
from overtone_papers.common.study import Study

DPI = 110


@dataclass(frozen=True)
class Album:
    """Pictures of a report in one folder under the study's; each method draws one and returns its entry."""

    study: Study
    folder: str

    def confusion(self, name: str, confusion: Any, labels: Sequence[str], *, title: str, caption: str = "") -> Picture:
        """Draw `confusion[true][recognised]`; the caption is the title where none is given."""
        confusion_png(self._path(name), confusion, labels, title)
        return self._picture(name, caption or title)

    def curves(self, name: str, histories: Sequence[Mapping[str, Any]], *, title: str, caption: str) -> Picture:
        """Draw accuracy and loss of trainings over epochs."""
        curves_png(self._path(name), *histories, title=title)
        return self._picture(name, caption)

    def _path(self, name: str) -> Path:
        return self.study.folder(self.folder) / f"{name}.png"

    def _picture(self, name: str, caption: str) -> Picture:
        return Picture(path=f"{self.folder}/{name}.png", caption=caption)


def figure(width_in: float, height_in: float) -> Figure:
    """Return an empty figure that needs no display."""
    canvas = Figure(figsize=(width_in, height_in), layout="constrained", dpi=DPI)
    FigureCanvasAgg(canvas)
    return canvas


def save(canvas: Figure, path: Path) -> Path:
    """Write the figure as PNG and return its path; raise TrainingError where the disk refuses."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        canvas.savefig(path)
    except OSError as error:
        raise TrainingError(f"{path}: picture cannot be written: {error.strerror or error}") from error
    return path


def curves_png(path: Path, *histories: History | Mapping[str, Any], title: str = "") -> Path:
    """Draw accuracy and loss over epochs, of training and validation, one colour per history."""
    canvas = figure(9.0, 3.6)
    left, right = canvas.subplots(1, 2)
    for index, entry in enumerate(histories):
        history = entry if isinstance(entry, History) else History.from_json(entry)
        colour, name = f"C{index % 10}", f"{history.name} " if history.name else ""
        for axes, train, held_out, factor in (
            (left, history.accuracy, history.val_accuracy, 100.0),
            (right, history.loss, history.val_loss, 1.0),
        ):
            epochs = np.arange(1, len(train) + 1)
            axes.plot(epochs, factor * np.array(train), color=colour, lw=1.2, label=f"{name}training")
            if held_out:
                axes.plot(epochs, factor * np.array(held_out), "--", color=colour, lw=1.2, label=f"{name}validation")
    left.set(xlabel="epoch", ylabel="accuracy (%)", ylim=(0, 102))
    right.set(xlabel="epoch", ylabel="loss (nats)", ylim=(0, None))
    left.grid(alpha=0.3)
    right.grid(alpha=0.3)
    right.legend(fontsize=7)
    if title:
        canvas.suptitle(title, fontsize=10)
    return save(canvas, path)


def confusion_png(path: Path, confusion: Any, labels: Sequence[str], title: str) -> Path:
    """Draw `confusion[true][recognised]`: shares of each true class as colour, counts in the cells."""
    try:
        plot_confusion(np.asarray(confusion, np.int64), labels, title, path)
    except OSError as error:
        raise TrainingError(f"{path}: picture cannot be written: {error.strerror or error}") from error
    return path


def lines_png(
    path: Path,
    lines: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    *,
    x_label: str,
    y_label: str,
    title: str = "",
) -> Path:
    """Draw one line with points for each name: its x and y values."""
    canvas = figure(6.4, 3.8)
    axes = canvas.subplots()
    for name, (x, y) in lines.items():
        axes.plot(x, y, "o-", ms=4, lw=1.2, label=name)
    axes.set(xlabel=x_label, ylabel=y_label, title=title)
    axes.grid(alpha=0.3)
    if any(lines):
        axes.legend(fontsize=8)
    return save(canvas, path)


def grid_png(
    path: Path, images: Sequence[F32], *, titles: Sequence[str] = (), columns: int = 4, title: str = ""
) -> Path:
    """Draw spectrograms `(rows, frames)` side by side, low frequencies below, one colour scale for each."""
    rows = -(-max(1, len(images)) // columns)
    canvas = figure(2.2 * columns, 2.2 * rows + 0.3)
    places = np.ravel(np.asarray(canvas.subplots(rows, columns, squeeze=False)))
    for place in places:
        place.set_axis_off()
    for index, (place, image) in enumerate(zip(places, images, strict=False)):
        place.imshow(image, origin="lower", aspect="auto", cmap="magma")
        if index < len(titles):
            place.set_title(titles[index], fontsize=8)
    if title:
        canvas.suptitle(title, fontsize=10)
    return save(canvas, path)
