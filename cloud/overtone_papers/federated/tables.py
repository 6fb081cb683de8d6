"""System A's tables and pictures: the paper's figures beside ours, the majority class among them."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from overtone_papers.common.pictures import Album
from overtone_papers.common.report import Cell, Part, Picture, Table
from overtone_papers.common.study import Study
from overtone_papers.common.tables import Columns, Group, Result, class_rows, grouped, mean_of, summed, table
from overtone_papers.federated.data import LABELS, Settings
from overtone_papers.federated.training import SPLITS

NAMES = {"a-dense": "Dense", "a-conv": "Conv", "a-lstm": "LSTM"}
SETTINGS = {
    "central": "central (the paper's baseline)",
    "random": "random clients",
    "emotion": "one emotion per client",
    "speaker": "one client per speaker",
    "dirichlet": "Dirichlet clients",
}
ENGINES = {"keras": "Keras", "tff": "TFF", "own": "own rounds"}
SPLIT_TEXTS = {**SPLITS, "random": f"{SPLITS['random']} (as the paper)"}
SCORES: Columns = {
    "accuracy %": "scores.accuracy",
    "recall %": "scores.uar",
    "precision %": "scores.macro_precision",
    "F1 %": "scores.macro_f1",
    "training s": "seconds",
}


class Published(NamedTuple):
    """The paper's figures in per cent, and training seconds."""

    accuracy: int
    recall: int
    precision: int
    f1: int
    seconds: int


PAPER: Mapping[str, Mapping[str, Published]] = {
    "a-dense": {
        "central": Published(26, 23, 23, 22, 480),
        "random": Published(51, 49, 51, 49, 627),
        "emotion": Published(21, 25, 5, 9, 480),
    },
    "a-conv": {
        "central": Published(32, 25, 24, 16, 460),
        "random": Published(41, 38, 41, 37, 316),
        "emotion": Published(23, 25, 6, 9, 277),
    },
    "a-lstm": {
        "central": Published(41, 35, 44, 31, 5740),
        "random": Published(43, 40, 43, 35, 5407),
        "emotion": Published(22, 25, 6, 9, 4645),
    },
}
"""Tables 1 to 3: 494 test clips of IEMOCAP, random split."""
SUPPORT = {"angry": 109, "happy": 104, "neutral": 168, "sad": 113}
MAJORITY = 100 * max(SUPPORT.values()) / sum(SUPPORT.values())
"""34.0: the accuracy of always answering neutral; the paper's Dense and Conv baselines lie below it."""


def _part(name: str, title: str, split: str, results: Group, *tables: Table, pictures: Sequence[Picture] = ()) -> Part:
    return Part(
        name=name,
        title=title,
        split=split,
        tables=tables,
        pictures=tuple(pictures),
        seconds=float(sum(r["seconds"] + r.get("start_seconds", 0.0) for r in results)),
        figures={"results": list(results)},
    )


def settings_part(study: Study, settings: Settings, results: Group) -> Part:
    """Return the first experiment: one table per split, one for the paper's corpus, confusions and curves."""
    by_split = {kind: [r for r in results if r["split"] == kind] for kind in settings.splits}
    tables = [_comparison(settings, own, kind) for kind, own in by_split.items()]
    tables += [_per_class(own, kind) for kind, own in by_split.items()]
    title = "Central training, random clients and one emotion per client"
    return _part("settings", title, _splits(settings), results, *tables, pictures=_pictures(study, results))


def _comparison(settings: Settings, results: Group, kind: str) -> Table:
    """Return the paper's figures beside ours on one kind of split; the paper's own split is random."""
    rows: dict[tuple[Cell, ...], Group] = {}
    for (network, setting, engine), own in grouped(results, "network", "setting", "engine").items():
        paper = PAPER[network][setting]
        names = (NAMES[network], SETTINGS[setting], ENGINES[engine])
        rows[(*names, float(paper.accuracy), float(paper.f1), paper.seconds)] = own
    best = 100 * mean_of(results, "majority")
    constant = ("-", "always the most frequent class", "-", MAJORITY, None, None, best, 100 / len(LABELS))
    return table(
        f"The paper's tables 1 to 3 beside ours, {kind} split",
        {f"ours: {head}" if head == "accuracy %" else head: place for head, place in SCORES.items()},
        rows,
        heads=("network", "setting", "engine", "paper: accuracy %", "F1 %", "training s"),
        paper=[(*constant, None, None, None)],
        note=f"Ours: {SPLIT_TEXTS[kind]}; {_counts(results)}; {settings.epochs} epochs or {settings.rounds} rounds, "
        "4 clients. Paper: IEMOCAP, random split, speakers shared; its Dense and Conv baselines (26 and 32 %) lie "
        "below its majority class (34 %). Recall, precision and F1 are means over the classes; training seconds "
        "leave the start of an engine out.",
    )


def _per_class(results: Group, kind: str) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for (network, setting, engine), own in grouped(results, "network", "setting", "engine").items():
        figures = [cell for _, recall, _, f1, _ in class_rows(summed(own), LABELS) for cell in (recall, f1)]
        rows.append((f"{NAMES[network]}, {SETTINGS[setting]}", ENGINES[engine], *figures))
    columns = ("training", "engine", *(f"{label} {figure} %" for label in LABELS for figure in ("recall", "F1")))
    return Table(title=f"Per emotion, {kind} split", columns=columns, rows=tuple(rows), note=SPLIT_TEXTS[kind])


def _pictures(study: Study, results: Group) -> list[Picture]:
    album, pictures = Album(study, "settings"), []
    for (network, kind), own in grouped(results, "network", "split").items():
        name = f"{NAMES[network]}, {kind} split"
        curves = [{**r["history"], "name": f"{r['setting']} {ENGINES[r['engine']]}"} for r in own if r["seed"] == 0]
        pictures.append(
            album.curves(
                f"{network}-{kind}-curves",
                curves,
                title=f"{name}; an epoch is a round",
                caption=f"{name}: course of training",
            )
        )
        for (setting, engine), group in grouped(own, "setting", "engine").items():
            title = f"{NAMES[network]}, {SETTINGS[setting]}, {kind} split"
            path = f"{network}-{kind}-{setting}-{engine}-confusion"
            caption = f"{title} ({ENGINES[engine]})"
            pictures.append(album.confusion(path, summed(group), LABELS, title=title, caption=caption))
    return pictures


def clients_part(study: Study, settings: Settings, results: Group) -> Part:
    """Return the second experiment: F1 against the number of clients."""
    lines: dict[str, dict[int, float]] = {}
    rows: dict[tuple[Cell, ...], Group] = {}
    for (network, engine), own in grouped(results, "network", "engine").items():
        lines[f"{NAMES[network]} ({ENGINES[engine]})"] = f1_by_count(own)
        rows |= {(NAMES[network], ENGINES[engine], k): group for k, group in by_count(own).items()}
    rounds, split = f"{settings.clients_rounds} rounds", SPLIT_TEXTS[settings.splits[0]]
    by_clients = table(
        "1 to 8 random clients",
        {head: SCORES[head] for head in ("F1 %", "accuracy %", "training s")},
        rows,
        heads=("network", "engine", "clients"),
        note=f"{split}; {rounds}; {_counts(results)}",
    )
    title = "F1 against the number of clients"
    picture = Album(study, "clients").lines(
        "f1", lines, x_label="clients", y_label="macro F1 (%)", title=rounds, caption=title
    )
    return _part("clients", title, split, results, by_clients, pictures=(picture,))


def by_count(results: Group) -> dict[int, list[Result]]:
    """Return the results by number of clients, ascending."""
    counts = sorted({len(r["clients"]) for r in results})
    return {k: [r for r in results if len(r["clients"]) == k] for k in counts}


def f1_by_count(results: Group) -> dict[int, float]:
    """Return the mean macro F1 in per cent by number of clients."""
    return {k: 100 * mean_of(group, "scores.macro_f1") for k, group in by_count(results).items()}


def speakers_part(settings: Settings, results: Group) -> Part:
    """Return what the paper leaves to the future: one client per speaker."""
    rows: dict[tuple[Cell, ...], Group] = {}
    for (kind, setting, engine), own in grouped(results, "split", "setting", "engine").items():
        sizes = own[0]["clients"]
        clients = SETTINGS[setting] + (f", alpha {settings.alpha:g}" if setting == "dirichlet" else "")
        rows[(kind, clients, ENGINES[engine], f"{len(sizes)} clients of {min(sizes)} to {max(sizes)}")] = own
    dealt = [f"{k}: {SPLIT_TEXTS[k]}, {_counts([r for r in results if r['split'] == k])}" for k in settings.splits]
    by_speaker = table(
        f"{NAMES[results[0]['network']]}: how the training utterances are dealt",
        SCORES,
        rows,
        heads=("split", "clients", "engine", "dealt"),
        note=f"The paper names one client per speaker as future work. {settings.rounds} rounds; {'; '.join(dealt)}",
    )
    return _part("speakers", "One client per speaker, and Dirichlet clients", _splits(settings), results, by_speaker)


def _splits(settings: Settings) -> str:
    return "; ".join(f"{kind}: {SPLIT_TEXTS[kind]}" for kind in settings.splits)


def _counts(results: Group) -> str:
    """Return the size of the parts, which may differ a little from seed to seed."""
    if not results:
        return "no training"
    seeds = len(grouped(results, "seed"))
    return f"{results[0]['train_n']} training and {results[0]['scores']['n']} test utterances, {seeds} seed(s)"
