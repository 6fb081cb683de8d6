"""Matplotlib figures for reports: opened without a display, saved as PNG and closed."""

from pathlib import Path
from typing import Any


def new_figure(width_in: float, height_in: float) -> tuple[Any, Any]:
    """Return a figure of this size and its axes."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    return plt.subplots(figsize=(width_in, height_in), layout="constrained")


def save_figure(figure: Any, path: Path) -> None:
    """Write the figure as an image and free it; missing folders are made."""
    from matplotlib import pyplot as plt

    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
    plt.close(figure)
