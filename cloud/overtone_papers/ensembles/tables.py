"""Tables and pictures of system E: the paper's figures in the first rows, ours below, the split in each."""

from collections.abc import Callable, Mapping, Sequence
from statistics import fmean, pstdev
from typing import NamedTuple

from overtone_models.networks.papers.ensembles import PARAMETERS
from overtone_papers.common.pictures import Album
from overtone_papers.common.report import Cell, Picture, Table
from overtone_papers.common.study import Study
from overtone_papers.common.tables import Columns, Group, at, grouped, mean_of, table
from overtone_papers.ensembles.data import LABELS
from overtone_papers.ensembles.experiment import SPLIT_WORDS, Result
from overtone_papers.ensembles.networks import INPUTS_1D, RECIPES, USED

Row = tuple[Cell, ...]

SPLIT_NOTE = (
    "Random: stratified 80/20, speakers shared, as in the paper. By speaker: a fifth of each corpus' speakers is "
    "tested and unseen in training (of two speakers one)."
)
HEADS = ("network", "split")
CORPORA = ("tess", "crema-d", "savee", "ravdess")


class Published(NamedTuple):
    """Accuracy and F1 (shares), loss, and seconds for the paper's 2,022 test samples."""

    accuracy: float
    f1: float
    loss: float | None = None
    seconds: float | None = None


NETWORKS = {
    "e-cnn2d-lstm": Published(0.71365, 0.732899, 0.914559, 4.12555),
    "e-cnn1d-lstm": Published(0.625618, 0.641172, 0.992354, 0.733976),
    "e-fused": Published(0.710682, 0.725428, 0.832017, 11.13292),
    "e-lstm-cnn-1d": Published(0.569733, 0.586485, 1.084049, 0.782807),
    "e-lstm-cnn-2d": Published(0.553907, 0.567925, 1.171493, 1.639491),
    "e-cnn-transformer": Published(0.700791, 0.72123, 1.704515, 2.148409),
}
INPUTS = {
    ("e-cnn1d-lstm", 52): Published(0.622156, 0.639534, 1.006559, 0.733104),
    ("e-cnn1d-lstm", 180): Published(0.606825, 0.623260, 1.064544, 0.834419),
    ("e-lstm-cnn-1d", 40): Published(0.566271, 0.583135, 1.075563, 1.506166),
    ("e-lstm-cnn-1d", 180): Published(0.562315, 0.583201, 1.112019, 2.075511),
}
"""The other selections of means (tables 6 and 9)."""
ABLATION = {
    "e-cnn1d-lstm": (INPUTS[("e-cnn1d-lstm", 52)], Published(0.593472, 0.614307, 1.041217, 0.910028)),
    "e-cnn2d-lstm": (
        Published(0.661721, 0.678884, 0.968594, 3.181240),
        Published(0.650841, 0.665839, 0.971584, 3.247346),
    ),
}
"""Table 2: scaled, unscaled."""
MEAN, GENETIC = Published(0.7315, 0.7493), Published(0.7453, 0.7630)
STACKING = Published(0.720079, 0.734486, 1.174485, 26.680516)
WEIGHTS = dict(zip(RECIPES, (0.2791, 0.2012, 0.1864, 0.0745, 0.1252, 0.1335), strict=True))
"""Table 15."""
ORIGINS = {"CNN2D-LSTM": (0.9980, 0.6128, 0.5946, 0.6716), "Ensemble": (1.0, 0.6442, 0.6892, 0.7562)}
"""Table 18, in the order of `CORPORA`. The ensemble is the one with genetic weights."""
F1 = {
    "CNN2D-LSTM": (0.6444, 0.6373, 0.7676, 0.7031, 0.7866, 0.6814, 0.9099),
    "Ensemble": (0.6790, 0.6744, 0.8014, 0.7101, 0.8076, 0.7405, 0.9279),
}
RECALL = {
    "CNN2D-LSTM": (0.5884, 0.7331, 0.7690, 0.7301, 0.7818, 0.6147, 0.9018),
    "Ensemble": (0.6495, 0.7147, 0.7931, 0.7362, 0.8333, 0.6850, 0.9196),
}
"""Tables 19 and 20, in the order of this project's labels."""


def share(place: str) -> Callable[[Group], Cell]:
    """Return a column: the mean of a share in per cent, with its deviation over several seeds; None where unknown."""

    def cell(group: Group) -> Cell:
        values = [100 * value for result in group if (value := at(result, place, None)) is not None]
        if not values:
            return None
        return fmean(values) if len(values) == 1 else f"{fmean(values):.1f} ± {pstdev(values):.1f}"

    return cell


OVERALL: Columns = {
    "accuracy %": share("accuracy"),
    "F1 %": share("macro_f1"),
    "loss": lambda group: f"{mean_of(group, 'loss'):.3f}",
    "test set in s": lambda group: f"{mean_of(group, 'inference_s'):.2f} ({group[0]['inference_n']})",
    "parameters": lambda group: group[0]["parameters"],
    "training min": lambda group: mean_of(group, "seconds") / 60,
}


def overall(title: str, results: Sequence[Result], paper: Sequence[Row] = (), note: str = "") -> Table:
    """Return accuracy, F1, loss, inference time of the whole test set, parameters and training time."""
    rows = grouped(results, "title", "split")
    return table(title, OVERALL, rows, heads=HEADS, paper=paper, note=f"{SPLIT_NOTE} {note}".strip())


def paper_row(name: str, figures: Published, parameters: Cell = None) -> Row:
    """Return a row of the paper's for `overall`."""
    loss = None if figures.loss is None else f"{figures.loss:.3f}"
    seconds = None if figures.seconds is None else f"{figures.seconds:.2f} (2022)"
    scores = (100 * figures.accuracy, 100 * figures.f1)
    return (f"paper: {name}", SPLIT_WORDS["random"], *scores, loss, seconds, parameters, None)


def paper_rows(network: str) -> list[Row]:
    """Return the paper's rows of a network: as published, then with other selections of means."""
    title = RECIPES[network].title
    selected = f", {INPUTS_1D[USED[network]]}" if network in USED else ""
    parameters = "2.1 M" if network == "e-cnn-transformer" else PARAMETERS.get(network)
    rows = [paper_row(title + selected, NETWORKS[network], parameters)]
    others = ((used, figures) for (name, used), figures in INPUTS.items() if name == network)
    return rows + [paper_row(f"{title}, {INPUTS_1D[used]}", figures) for used, figures in others]


def details(results: Sequence[Result], *published: str, by_class: Sequence[Result] | None = None) -> tuple[Table, ...]:
    """Return accuracy by corpus, and F1 and accuracy by class, where `by_class` replaces the results.

    `published` names the paper's rows: keys of `ORIGINS`, `F1` and `RECALL`.
    """
    others = sorted({name for r in results for name in r["origins"]} - set(CORPORA))
    origins = {name: share(f"origins.{name}.accuracy") for name in (*CORPORA, *others)}
    f1, recall = ({label: share(f"per_class.{label}.{name}") for label in LABELS} for name in ("f1", "recall"))
    classes = results if by_class is None else by_class
    return (
        _shares("Accuracy by origin (%)", origins, results, {name: ORIGINS[name] for name in published}),
        _shares("F1 of each class (%)", f1, classes, {name: F1[name] for name in published}),
        _shares("Accuracy of each class (%)", recall, classes, {name: RECALL[name] for name in published}),
    )


def _shares(title: str, columns: Columns, results: Sequence[Result], paper: Mapping[str, Sequence[float]]) -> Table:
    first: list[Row] = [
        (f"paper: {name}", SPLIT_WORDS["random"], *(100 * v for v in values), *([None] * (len(columns) - len(values))))
        for name, values in paper.items()
    ]
    rows = grouped(results, "title", "split")
    return table(title, columns, rows, heads=HEADS, paper=first, note=SPLIT_NOTE)


def pictures(study: Study, part: str, results: Sequence[Result], *, curves: bool = True) -> tuple[Picture, ...]:
    """Draw the first seed's confusion matrix of each network and split, and the curves of all."""
    album, images = Album(study, "pictures"), list[Picture]()
    firsts = [own[0] for own in grouped(results, "title", "split").values()]
    for index, result in enumerate(firsts):
        caption = f"{result['title']}, {result['split']}: accuracy {100 * result['accuracy']:.1f} %"
        split = next(kind for kind, words in SPLIT_WORDS.items() if words == result["split"])
        name = f"{part}-{result['network']}-{split}-{index}-confusion"
        images.append(album.confusion(name, result["confusion"], LABELS, title=caption))
    if curves and all("history" in result for result in firsts):
        histories = [{**r["history"], "name": f"{r['title']}, {r['split']}"} for r in firsts]
        title, caption = "Accuracy and loss, inner part dashed", "Training (solid) and inner part (dashed)"
        images.append(album.curves(f"{part}-curves", histories, title=title, caption=caption))
    return tuple(images)
