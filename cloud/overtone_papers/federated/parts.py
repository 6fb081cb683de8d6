"""System A's tables and pictures: the paper's figures beside ours, the majority class among them."""

from collections.abc import Sequence
from typing import Any

from overtone_papers.common.pictures import confusion_png, curves_png, lines_png
from overtone_papers.common.report import Cell, Part, Picture, Table
from overtone_papers.common.study import Study
from overtone_papers.federated.data import LABELS
from overtone_papers.federated.figures import (
    ENGINES,
    NAMES,
    SETTINGS,
    Result,
    chosen,
    confusion,
    keys,
    mean,
    mean_of,
)
from overtone_papers.federated.published import MAJORITY, TABLES
from overtone_papers.federated.settings import Settings

SPLITS = {
    "random": "random 80/20, stratified by label, speakers shared (as the paper)",
    "speaker": "by speaker: a fifth of the speakers is tested and was not heard in training",
}
SCORES = ("accuracy", "uar", "macro_precision", "macro_f1")


def settings_part(study: Study, settings: Settings, results: Sequence[Result]) -> Part:
    """Return the first experiment: one table a split, one for the paper's corpus, confusions and curves."""
    tables = [_comparison(settings, results, kind) for kind in settings.splits]
    tables += [_per_class(results, kind) for kind in settings.splits]
    return Part(
        name="settings",
        title="Central training, random clients and one emotion a client",
        split="; ".join(f"{kind}: {SPLITS[kind]}" for kind in settings.splits),
        tables=tuple(tables),
        pictures=_pictures(study, results),
        seconds=_seconds(results),
        figures={"results": list(results)},
    )


def _comparison(settings: Settings, results: Sequence[Result], kind: str) -> Table:
    """Return the paper's figures beside ours on one kind of split; the paper's own split is random."""
    own = chosen(results, split=kind)
    best = 100 * float(mean_of(own, "majority") or 0.0)
    rows: list[tuple[Cell, ...]] = [("-", "always the most frequent class", "-", MAJORITY, None, None, best)]
    rows[0] += (100.0 / len(LABELS), None, None, None)
    for network, setting, engine in keys(own, "network", "setting", "engine"):
        found = chosen(own, network=network, setting=setting, engine=engine)
        paper = TABLES[network][setting]
        rows.append(
            (
                NAMES[network],
                SETTINGS[setting],
                ENGINES[engine],
                float(paper.accuracy),
                float(paper.f1),
                paper.seconds,
                *(mean(found, figure) for figure in SCORES),
                mean_of(found, "seconds"),
            )
        )
    ours = ("ours: accuracy %", "recall %", "precision %", "F1 %", "training s")
    return Table(
        title=f"The paper's tables 1 to 3 beside ours, {kind} split",
        columns=("network", "setting", "engine", "paper: accuracy %", "F1 %", "training s", *ours),
        rows=tuple(rows),
        note=f"Ours: {SPLITS[kind]}; {_counts(own)}; {settings.epochs} epochs or {settings.rounds} rounds, 4 clients. "
        "Paper: IEMOCAP, random split, speakers shared; its Dense and Conv baselines (26 and 32 %) lie below its "
        "majority class (34 %). Recall, precision and F1 are means over the classes; training seconds leave "
        "the start of an engine out.",
    )


def _per_class(results: Sequence[Result], kind: str) -> Table:
    own = chosen(results, split=kind)
    rows: list[tuple[Cell, ...]] = []
    for network, setting, engine in keys(own, "network", "setting", "engine"):
        counts = confusion(chosen(own, network=network, setting=setting, engine=engine))
        cells: list[Cell] = []
        for k in range(len(LABELS)):
            total, answered = sum(counts[k]), sum(row[k] for row in counts)
            cells += [100 * counts[k][k] / total if total else None, 200 * counts[k][k] / max(1, total + answered)]
        rows.append((f"{NAMES[network]}, {SETTINGS[setting]}", ENGINES[engine], *cells))
    columns = [f"{label} {figure} %" for label in LABELS for figure in ("recall", "F1")]
    return Table(
        title=f"Per emotion, {kind} split",
        columns=("training", "engine", *columns),
        rows=tuple(rows),
        note=SPLITS[kind],
    )


def _pictures(study: Study, results: Sequence[Result]) -> tuple[Picture, ...]:
    folder = study.folder("settings")
    made: list[Picture] = []
    for network, kind in keys(results, "network", "split"):
        own = chosen(results, network=network, split=kind)
        first = [_named(r) for r in own if r["seed"] == 0]
        path = f"{network}-{kind}-curves.png"
        curves_png(folder / path, *first, title=f"{NAMES[network]}, {kind} split; an epoch is a round")
        made.append(Picture(path=f"settings/{path}", caption=f"{NAMES[network]}, {kind} split: course of training"))
        for setting, engine in keys(own, "setting", "engine"):
            path = f"{network}-{kind}-{setting}-{engine}-confusion.png"
            title = f"{NAMES[network]}, {SETTINGS[setting]}, {kind} split"
            confusion_png(folder / path, confusion(chosen(own, setting=setting, engine=engine)), LABELS, title)
            made.append(Picture(path=f"settings/{path}", caption=f"{title} ({ENGINES[engine]})"))
    return tuple(made)


def _named(result: Result) -> dict[str, Any]:
    return {**result["history"], "name": f"{result['setting']} {ENGINES[result['engine']]}"}


def clients_part(study: Study, settings: Settings, results: Sequence[Result]) -> Part:
    """Return the second experiment: F1 against the number of clients."""
    lines, rows = {}, []
    for network, engine in keys(results, "network", "engine"):
        own = chosen(results, network=network, engine=engine)
        by_count = {k: [r for r in own if len(r["clients"]) == k] for k in settings.client_counts}
        f1 = {k: float(mean(found, "macro_f1") or 0.0) for k, found in by_count.items()}
        lines[f"{NAMES[network]} ({ENGINES[engine]})"] = (list(f1), list(f1.values()))
        rows += [
            (NAMES[network], ENGINES[engine], k, f1[k], mean(found, "accuracy"), mean_of(found, "seconds"))
            for k, found in by_count.items()
        ]
    kind = settings.splits[0]
    path = study.folder("clients") / "f1.png"
    lines_png(path, lines, x_label="clients", y_label="macro F1 (%)", title=f"{settings.clients_rounds} rounds")
    return Part(
        name="clients",
        title="F1 against the number of clients",
        split=SPLITS[kind],
        tables=(
            Table(
                title="1 to 8 random clients",
                columns=("network", "engine", "clients", "F1 %", "accuracy %", "training s"),
                rows=tuple(rows),
                note=f"{SPLITS[kind]}; {settings.clients_rounds} rounds; {_counts(results)}",
            ),
        ),
        pictures=(Picture(path="clients/f1.png", caption="F1 against the number of clients"),),
        seconds=_seconds(results),
        figures={"results": list(results)},
    )


def speakers_part(settings: Settings, results: Sequence[Result]) -> Part:
    """Return what the paper leaves to the future: one client a speaker."""
    rows: list[tuple[Cell, ...]] = []
    for kind, setting, engine in keys(results, "split", "setting", "engine"):
        found = chosen(results, split=kind, setting=setting, engine=engine)
        sizes = found[0]["clients"]
        dealt = f"{len(sizes)} clients of {min(sizes)} to {max(sizes)}"
        text = SETTINGS[setting] + (f", alpha {settings.alpha:g}" if setting == "dirichlet" else "")
        rows.append((kind, text, ENGINES[engine], dealt, *(mean(found, f) for f in SCORES), mean_of(found, "seconds")))
    scores = ("accuracy %", "recall %", "precision %", "F1 %", "training s")
    return Part(
        name="speakers",
        title="One client a speaker, and Dirichlet clients",
        split="; ".join(f"{kind}: {SPLITS[kind]}" for kind in settings.splits),
        tables=(
            Table(
                title=f"{NAMES[results[0]['network']]}: how the training utterances are dealt",
                columns=("split", "clients", "engine", "dealt", *scores),
                rows=tuple(rows),
                note=f"The paper names one client a speaker as future work. {settings.rounds} rounds; "
                + "; ".join(f"{k}: {SPLITS[k]}, {_counts(chosen(results, split=k))}" for k in settings.splits),
            ),
        ),
        seconds=_seconds(results),
        figures={"results": list(results)},
    )


def _counts(results: Sequence[Result]) -> str:
    """Return the size of the parts, which may differ a little from seed to seed."""
    if not results:
        return "no training"
    seeds = len(keys(results, "seed"))
    return f"{results[0]['train_n']} training and {results[0]['scores']['n']} test utterances, {seeds} seed(s)"


def _seconds(results: Sequence[Result]) -> float:
    return float(sum(r["seconds"] + r.get("start_seconds", 0.0) for r in results))
