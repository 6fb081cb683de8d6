"""Pictures of the papers' reports: curves, confusions, lines and grids of spectrograms, as PNG."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from overtone_cloud.corpora.plots import empty_figure
from overtone_cloud.errors import TrainingError
from overtone_cloud.training.plots import plot_confusion
from overtone_models.front_end import F32
from overtone_papers.common.report import Picture
from overtone_papers.common.study import Study


@dataclass(frozen=True)
class Album:
    """Pictures of a report in one folder under the study's; each method draws one and returns its entry."""

    study: Study
    folder: str

    def confusion(self, name: str, confusion: Any, labels: Sequence[str], *, title: str, caption: str = "") -> Picture:
        """Draw `confusion[true][recognised]`: shares of each true class as colour, counts in the cells.

        The caption is the title where none is given.
        """
        path = self._path(name)
        with _writing(path):
            plot_confusion(np.asarray(confusion, np.int64), labels, title, path)
        return self._picture(name, caption or title)

    def curves(self, name: str, histories: Sequence[Mapping[str, Any]], *, title: str, caption: str) -> Picture:
        """Draw accuracy and loss over epochs, of training and validation, one colour per history (as JSON)."""
        canvas = empty_figure(9.0, 3.6)
        left, right = canvas.subplots(1, 2)
        for index, history in enumerate(histories):
            colour, who = f"C{index % 10}", f"{history['name']} " if history.get("name") else ""
            for axes, figure, factor in ((left, "accuracy", 100.0), (right, "loss", 1.0)):
                epochs = np.arange(1, len(history[figure]) + 1)
                axes.plot(epochs, factor * np.array(history[figure]), color=colour, lw=1.2, label=f"{who}training")
                if held_out := history.get(f"val_{figure}"):
                    axes.plot(epochs, factor * np.array(held_out), "--", color=colour, lw=1.2, label=f"{who}validation")
        left.set(xlabel="epoch", ylabel="accuracy (%)", ylim=(0, 102))
        right.set(xlabel="epoch", ylabel="loss (nats)", ylim=(0, None))
        left.grid(alpha=0.3)
        right.grid(alpha=0.3)
        right.legend(fontsize=7)
        canvas.suptitle(title, fontsize=10)
        save(canvas, self._path(name))
        return self._picture(name, caption)

    def lines(
        self,
        name: str,
        lines: Mapping[str, Mapping[int, float]],
        *,
        x_label: str,
        y_label: str,
        title: str,
        caption: str,
    ) -> Picture:
        """Draw one line with points for each name: its y values by x."""
        canvas = empty_figure(6.4, 3.8)
        axes = canvas.subplots()
        for line, points in lines.items():
            axes.plot(list(points), list(points.values()), "o-", ms=4, lw=1.2, label=line)
        axes.set(xlabel=x_label, ylabel=y_label, title=title)
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
        save(canvas, self._path(name))
        return self._picture(name, caption)

    def _path(self, name: str) -> Path:
        return self.study.folder(self.folder) / f"{name}.png"

    def _picture(self, name: str, caption: str) -> Picture:
        return Picture(path=f"{self.folder}/{name}.png", caption=caption)


def grid_png(path: Path, images: Sequence[F32], *, columns: int = 4, title: str = "") -> Path:
    """Draw spectrograms `(rows, frames)` side by side, low frequencies below, one colour scale for each."""
    rows = -(-max(1, len(images)) // columns)
    canvas = empty_figure(2.2 * columns, 2.2 * rows + 0.3)
    places = np.ravel(np.asarray(canvas.subplots(rows, columns, squeeze=False)))
    for place in places:
        place.set_axis_off()
    for place, image in zip(places, images, strict=False):
        place.imshow(image, origin="lower", aspect="auto", cmap="magma")
    canvas.suptitle(title, fontsize=10)
    return save(canvas, path)


def save(canvas: Figure, path: Path) -> Path:
    """Write the figure as PNG and return its path; raise TrainingError where the disk refuses."""
    with _writing(path):
        canvas.savefig(path)
    return path


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise TrainingError(f"{path}: picture cannot be written: {error.strerror or error}") from error
