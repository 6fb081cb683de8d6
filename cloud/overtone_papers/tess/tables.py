"""Tables and pictures of system C's report."""

from collections.abc import Mapping, Sequence

import numpy as np

from overtone_papers.common.pictures import Album
from overtone_papers.common.report import Cell, Part, Picture, Table
from overtone_papers.common.study import Study
from overtone_papers.common.tables import CLASS_COLUMNS, Columns, Group, class_rows, over_seeds, summed, table
from overtone_papers.tess.data import Settings

Results = Mapping[str, Mapping[str, Group]]
"""Corpus -> kind of split -> one result for each seed and fold."""

LAST_EPOCHS = 20
SPLITS = {
    "random": "random, stratified by label, a fifth held back, speakers shared",
    "tail": "the last fifth of the files in the order of their folders, unshuffled, speakers shared",
    "speaker": "by speaker: who is tested was not heard in training",
}
TITLES = {"random": "Random split", "tail": "Tail of the folders", "speaker": "Unheard speakers"}
EXPLANATION = (
    "A random fifth holds nothing new: the same speakers say the same phrases with the same emotions in training. "
    "The tail, which Keras takes with validation_split when nothing is shuffled, holds the last folders only: "
    "in TESS a few emotions of one woman, most of which training knows from the other woman alone; where folders "
    "are speakers (RAVDESS), nearly a split by speaker. "
    "Unheard speakers are the honest measure. 'Known pairs' is the share of held-back utterances whose speaker "
    "says the same emotion in training."
)
COMPARISON: Columns = {
    "known pairs %": "heard_before",
    "training %": lambda group: 100 * training_accuracy(group),
    "validation %": lambda group: 100 * accuracy(group),
    "sd": lambda group: over_seeds(group, lambda own: 100 * accuracy(own))[1],
    "of the last epochs %": lambda group: f"{100 * min(late(group)):.1f} to {100 * max(late(group)):.1f}",
    "UAR %": "scores.uar",
    "macro F1 %": "scores.macro_f1",
}
PAPER: tuple[Cell, ...] = (
    *("TESS, the paper", "not stated; see the reading", None, "> 90", "about 50", None, "fluctuating", None, None),
)
TRAININGS: Columns = {
    "held back": lambda result: f"{result['name']}: {result['held_back']}",
    "seed": "seed",
    "trained on": "train_n",
    "known pairs %": "heard_before",
    "validation %": "scores.accuracy",
    "UAR %": "scores.uar",
    "training s": "seconds",
    "one utterance ms": "inference_ms",
}


def parts(study: Study, settings: Settings, results: Results) -> tuple[Part, ...]:
    """Return the comparison of the splits, then one part for each kind of split."""
    if not results:
        return ()
    kinds = [kind for kind in SPLITS if kind in settings.splits]
    comparison = table(
        "Accuracy of the LSTM",
        COMPARISON,
        {(f"{corpus}, here", kind): own[kind] for corpus, own in results.items() for kind in kinds},
        heads=("network on", "split"),
        paper=[PAPER] if "tess" in results else [],
        note=f"{EXPLANATION} {settings.epochs} epochs; sd is over seeds; the last epochs are {LAST_EPOCHS}, or the "
        "second half.",
    )
    split = "; ".join(f"{kind}: {SPLITS[kind]}" for kind in kinds)
    first = Part(name="splits", title="The splits side by side", split=split, tables=(comparison,))
    return (first, *(_kind(study, kind, {corpus: own[kind] for corpus, own in results.items()}) for kind in kinds))


def accuracy(group: Group) -> float:
    """Return the share of right utterances after the last epoch, all folds and seeds together."""
    right = sum(r["scores"]["accuracy"] * r["scores"]["n"] for r in group)
    return float(right / sum(r["scores"]["n"] for r in group))


def training_accuracy(group: Group) -> float:
    """Return the mean training accuracy after the last epoch."""
    return float(np.mean([r["history"]["accuracy"][-1] for r in group]))


def late(group: Group) -> list[float]:
    """Return the validation accuracies of the last epochs, of a short training those of its second half."""
    curves = [r["history"]["val_accuracy"] for r in group]
    return [float(v) for curve in curves for v in curve[-min(LAST_EPOCHS, max(1, len(curve) // 2)) :]]


def _kind(study: Study, kind: str, groups: Mapping[str, Group]) -> Part:
    tables: list[Table] = []
    pictures: list[Picture] = []
    for corpus, group in groups.items():
        labels = tuple(group[0]["scores"]["per_class"])
        title = f"{corpus}: per emotion, all trainings of this split together"
        rows = tuple(class_rows(summed(group), labels))
        tables.append(Table(title=title, columns=("emotion", *CLASS_COLUMNS), rows=rows))
        tables.append(table(f"{corpus}: each training", TRAININGS, group))
        pictures += _pictures(Album(study, "splits"), corpus, kind, group, labels)
    return Part(
        name=kind,
        title=TITLES[kind],
        split=SPLITS[kind],
        tables=tuple(tables),
        pictures=tuple(pictures),
        seconds=float(sum(r["seconds"] for group in groups.values() for r in group)),
        figures={corpus: list(group) for corpus, group in groups.items()},
    )


def _pictures(album: Album, corpus: str, kind: str, group: Group, labels: Sequence[str]) -> tuple[Picture, Picture]:
    first = [r for r in group if r["seed"] == 0]
    histories = [{**r["history"], "name": r["name"] if len(first) > 1 else ""} for r in first]
    name, title, caption = f"{corpus}-{kind}", f"{corpus}, {SPLITS[kind]}", f"{corpus}: accuracy and loss, {kind}"
    curves = album.curves(f"{name}-curves", histories, title=title, caption=caption)
    title, caption = f"{corpus}, {kind}", f"{corpus}: confusions, {kind}"
    return curves, album.confusion(f"{name}-confusion", summed(group), labels, title=title, caption=caption)
