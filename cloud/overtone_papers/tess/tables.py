"""Paper C's tables and pictures."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from overtone_papers.common.pictures import confusion_png, curves_png
from overtone_papers.common.report import Cell, Part, Picture, Table
from overtone_papers.common.study import Study

Result = Mapping[str, Any]
Results = Mapping[str, Mapping[str, Sequence[Result]]]
"""Corpus -> kind of split -> one result for each seed and division."""

LAST_EPOCHS = 20
SPLITS = {
    "random": "random, stratified by label, a fifth held back, speakers shared",
    "tail": "the last fifth of the files in the order of their folders, unshuffled, speakers shared",
    "speaker": "by speaker: who is tested was not heard in training",
}
TITLES = {"random": "Random split", "tail": "Tail of the folders", "speaker": "Unheard speakers"}
READING = (
    "A random fifth holds nothing new: the same speakers say the same phrases with the same emotions in training. "
    "The tail, which Keras takes with validation_split when nothing is shuffled, holds the last folders only: "
    "in TESS a few emotions of one woman, most of which training knows from the other woman alone; where folders "
    "are speakers (RAVDESS), nearly a split by speaker. "
    "Unheard speakers are the honest measure. 'Known pairs' is the share of held-back utterances whose speaker "
    "says the same emotion in training."
)


def parts(study: Study, epochs: int, results: Results) -> tuple[Part, ...]:
    """Return the comparison of the splits, then one part for each kind of split."""
    if not results:
        return ()
    kinds = [kind for kind in SPLITS if any(kind in found for found in results.values())]
    split = "; ".join(f"{kind}: {SPLITS[kind]}" for kind in kinds)
    comparison = Part(
        name="splits", title="The splits side by side", split=split, tables=(_comparison(results, kinds, epochs),)
    )
    return (comparison, *(_kind(study, kind, results) for kind in kinds))


def _comparison(results: Results, kinds: Sequence[str], epochs: int) -> Table:
    columns = ("network on", "split", "known pairs %", "training %", "validation %", "sd", "of the last epochs %")
    paper: tuple[Cell, ...] = ("TESS, the paper", "not stated; see the reading", None, "> 90", "about 50")
    rows = [(*paper, None, "fluctuating", None, None)] if "tess" in results else []
    for corpus, found in results.items():
        rows.extend((f"{corpus}, here", kind, *_summary(found[kind])) for kind in kinds if kind in found)
    note = f"{READING} {epochs} epochs; sd is over seeds; the last epochs are {LAST_EPOCHS}, or the second half."
    return Table(title="Accuracy of the LSTM", columns=(*columns, "UAR %", "macro F1 %"), rows=tuple(rows), note=note)


def _summary(found: Sequence[Result]) -> tuple[Cell, ...]:
    validation = [100 * value for value in late(found)]
    return (
        100 * mean_of(found, lambda r: r["heard_before"]),
        100 * mean_of(found, lambda r: r["history"]["accuracy"][-1]),
        100 * accuracy(found),
        _deviation(found),
        f"{min(validation):.1f} to {max(validation):.1f}",
        100 * mean_of(found, lambda r: r["scores"]["uar"]),
        100 * mean_of(found, lambda r: r["scores"]["macro_f1"]),
    )


def accuracy(found: Sequence[Result]) -> float:
    """Return the share of right utterances after the last epoch, all divisions and seeds together."""
    right = sum(r["scores"]["accuracy"] * r["scores"]["n"] for r in found)
    return float(right / sum(r["scores"]["n"] for r in found))


def late(found: Sequence[Result]) -> list[float]:
    """Return the validation accuracies of the last epochs, of a short training those of its second half."""
    curves = [r["history"]["val_accuracy"] for r in found]
    return [float(v) for curve in curves for v in curve[-min(LAST_EPOCHS, max(1, len(curve) // 2)) :]]


def mean_of(found: Sequence[Result], of: Callable[[Result], float]) -> float:
    """Return the mean of a figure over trainings."""
    return float(np.mean([of(r) for r in found]))


def _deviation(found: Sequence[Result]) -> float | None:
    seeds = sorted({r["seed"] for r in found})
    each = [100 * accuracy([r for r in found if r["seed"] == seed]) for seed in seeds]
    return float(np.std(each, ddof=1)) if len(each) > 1 else None


def _kind(study: Study, kind: str, results: Results) -> Part:
    tables: list[Table] = []
    pictures: list[Picture] = []
    folder = study.folder("splits")
    for corpus, by_kind in results.items():
        if kind not in by_kind:
            continue
        found = by_kind[kind]
        tables.extend((_per_class(corpus, found), _divisions(corpus, found)))
        first = [r for r in found if r["seed"] == 0]
        histories = [{**r["history"], "name": r["name"] if len(first) > 1 else ""} for r in first]
        labels = tuple(first[0]["scores"]["per_class"])
        title = f"{corpus}, {SPLITS[kind]}"
        curves_png(folder / f"{corpus}-{kind}-curves.png", *histories, title=title)
        confusion_png(folder / f"{corpus}-{kind}-confusion.png", confusion(found), labels, f"{corpus}, {kind}")
        pictures.extend(
            (
                Picture(path=f"splits/{corpus}-{kind}-curves.png", caption=f"{corpus}: accuracy and loss, {kind}"),
                Picture(path=f"splits/{corpus}-{kind}-confusion.png", caption=f"{corpus}: confusions, {kind}"),
            )
        )
    return Part(
        name=kind,
        title=TITLES[kind],
        split=SPLITS[kind],
        tables=tuple(tables),
        pictures=tuple(pictures),
        seconds=float(sum(r["seconds"] for found in results.values() for r in found.get(kind, ()))),
        figures={corpus: list(found[kind]) for corpus, found in results.items() if kind in found},
    )


def confusion(found: Sequence[Result]) -> list[list[int]]:
    """Return the sum of the confusions."""
    total: list[list[int]] = np.sum([r["scores"]["confusion"] for r in found], axis=0).tolist()
    return total


def _divisions(corpus: str, found: Sequence[Result]) -> Table:
    columns = ("held back", "seed", "trained on", "known pairs %", "validation %", "UAR %")
    rows = tuple(
        (
            f"{r['name']}: {r['held_back']}",
            int(r["seed"]),
            int(r["train_n"]),
            100 * r["heard_before"],
            100 * r["scores"]["accuracy"],
            100 * r["scores"]["uar"],
            float(r["seconds"]),
            float(r["inference_ms"]),
        )
        for r in found
    )
    times = ("training s", "one utterance ms")
    return Table(title=f"{corpus}: each training", columns=(*columns, *times), rows=rows)


def _per_class(corpus: str, found: Sequence[Result]) -> Table:
    labels = tuple(found[0]["scores"]["per_class"])
    counts = np.array(confusion(found))
    rows: list[tuple[Cell, ...]] = []
    for k, label in enumerate(labels):
        n, guessed, hits = int(counts[k].sum()), int(counts[:, k].sum()), int(counts[k, k])
        shares: tuple[float | None, ...] = (
            100 * hits / n if n else None,
            100 * hits / guessed if guessed else None,
            200 * hits / (n + guessed) if n else None,
        )
        rows.append((label, *shares, n))
    columns = ("emotion", "recall %", "precision %", "F1 %", "utterances")
    return Table(
        title=f"{corpus}: per emotion, all trainings of this split together", columns=columns, rows=tuple(rows)
    )
