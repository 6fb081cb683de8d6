"""System D's parts of the report: the folds' effect, the fusions beside the paper's table, classes, pictures."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from overtone_papers.common.pictures import Album
from overtone_papers.common.report import Part, Picture, Table
from overtone_papers.common.study import Study
from overtone_papers.common.tables import Columns, at, table
from overtone_papers.fusion.data import LABELS
from overtone_papers.fusion.experiment import LOOK_UP, CorpusResult, Outcome, Outcomes

PAPER = {
    "audio": ("56.0 ± 1.9 / .782 ± .006", "45.7 ± 1.4 / .726 ± .010"),
    "glove": ("47.8 ± 0.1 / .736 ± .007", "49.8 ± 0.4 / .736 ± .003"),
    "encoder": ("55.2 ± 1.0 / .792 ± .003", "51.0 ± 0.9 / .749 ± .007"),
    "EF-CS": ("65.1 ± 0.5 / .857 ± .002", "58.2 ± 2.4 / .817 ± .009"),
    "EF-WS": ("64.7 ± 1.6 / .863 ± .002", "59.1 ± 1.8 / .823 ± .003"),
    "EF-PT": ("64.9 ± 1.0 / .859 ± .004", "56.5 ± 0.3 / .817 ± .002"),
    "LF-PT": ("63.9 ± 0.5 / .857 ± .006", "58.0 ± 0.7 / .819 ± .004"),
}
TITLES = {
    "audio": "Audio",
    "encoder": "Text, encoder",
    "glove": "Text, word vectors",
    "EF-CS": "Early fusion, cold start",
    "EF-WS": "Early fusion, warm start",
    "EF-PT": "Early fusion, pre-trained",
    "LF-PT": "Late fusion, pre-trained",
    "LF-CS": "Late fusion, cold start",
    "LF-WS": "Late fusion, warm start",
    LOOK_UP: "Script looked up (no network)",
}
CRITERION_TITLES = {
    "random": "random, speakers shared",
    "speaker": "by speaker",
    "speaker-script": "by speaker and script",
}


def per_cent_at(place: str, scores: Mapping[str, Any]) -> float | None:
    """Return a share among scores in per cent."""
    share = at(scores, place)
    return None if share is None else 100 * share


COSTS: Columns = {
    "parameters": lambda outcome: outcome.parameters,
    "training of a fold (s)": lambda outcome: outcome.seconds,
    "inference (ms an utterance)": lambda outcome: f"{outcome.inference_ms:.2f}",
}
CLASSES: Columns = {
    **{label: partial(per_cent_at, f"per_class.{label}.recall") for label in LABELS},
    "macro F1": partial(per_cent_at, "macro_f1"),
    "accuracy": partial(per_cent_at, "accuracy"),
}


def figure(values: Sequence[float], *, percent: bool) -> str:
    """Return the median and, of several seeds, the interquartile range: `56.0 ± 1.9` or `.782 ± .006`."""

    def written(value: float) -> str:
        return f"{100 * value:.1f}" if percent else f"{value:.3f}".removeprefix("0")

    low, middle, high = np.percentile(np.array(values), [25, 50, 75])
    return written(middle) if len(values) < 2 else f"{written(middle)} ± {written(high - low)}"


def both(name: str, outcomes: Outcomes) -> str | None:
    """Return average recall in per cent and average AUC of an outcome, as `56.0 ± 1.9 / .782 ± .006`."""
    if name not in outcomes:
        return None
    return f"{figure(outcomes[name].uar, percent=True)} / {figure(outcomes[name].auc, percent=False)}"


def title(system: str) -> str:
    """Return a system's name for readers; sizes are named behind it."""
    base, _, size = system.partition(" ")
    return f"{TITLES.get(base, base)}{f', nodes {size}' if size else ''}"


def folds_part(results: Sequence[CorpusResult], seeds: int) -> Part:
    """Return figure 2 as a table per corpus: what three ways of making folds say of audio and of text alone."""
    return Part(
        name="folds",
        title="What the folds say: random, by speaker, by speaker and script",
        split="; ".join(split for result in results for split in result.splits.values()),
        tables=(*(_criteria(result, seeds) for result in results), _scripts(results)),
        figures={result.name: _figures(result) for result in results},
    )


def fusion_part(results: Sequence[CorpusResult], study: Study, encoder: str) -> Part:
    """Return table 1: single networks and fusions on folds by speaker and script, beside the paper's."""
    costs = {(r.name, title(s)): outcome for r in results for s, outcome in r.by_script.items() if s != LOOK_UP}
    note = "Pre-trained fusions train behind the frozen branches only: the branches' own training comes on top."
    return Part(
        name="fusion",
        title="Audio, text and their fusions",
        split="; ".join(r.splits["speaker-script"] for r in results),
        tables=(
            _systems(results, study.seeds, encoder),
            *map(_classes, results),
            table("Size and time", COSTS, costs, heads=("corpus", "system"), note=note),
        ),
        pictures=tuple(picture for result in results for picture in _pictures(study, result)),
        figures={r.name: _figures(r) for r in results},
    )


def _criteria(result: CorpusResult, seeds: int) -> Table:
    systems = dict.fromkeys(s for own in result.outcomes.values() for s in own if s == LOOK_UP or "-" not in s)
    shared = {"random": ("yes", "yes"), "speaker": ("no", "yes"), "speaker-script": ("no", "no")}
    return table(
        f"{result.name}: average recall (%) / average AUC by the folds' criterion",
        {title(system): partial(both, system) for system in systems},
        {(CRITERION_TITLES[c], *shared[c]): outcomes for c, outcomes in result.outcomes.items()},
        heads=("folds", "speakers shared", "scripts shared"),
        note=f"{_statistic(seeds)}; chance is 25.0 / .500. The paper draws this as figure 2, without numbers.",
    )


def _scripts(results: Sequence[CorpusResult]) -> Table:
    return table(
        "What the script alone gives away: the labels it had in training, looked up",
        {words: partial(both, criterion) for criterion, words in CRITERION_TITLES.items()},
        {
            (r.name, *(r.scripts[key] for key in ("utterances", "scripts", "in_every_class"))): r.by_criterion(LOOK_UP)
            for r in results
        },
        heads=("corpus", "utterances", "scripts", "spoken in all 4 classes"),
        note="No network: above chance (25.0 / .500) is what a text network can learn by heart. Sentences that are "
        "each spoken in every emotion give nothing away, and text cannot help; below chance comes from equal counts: "
        "what a script had more of in training it has less of in the test. By script nothing can be looked up.",
    )


def _systems(results: Sequence[CorpusResult], seeds: int, encoder: str) -> Table:
    systems = dict.fromkeys(s for r in results for s in r.by_script if s != LOOK_UP and " " not in s)
    return table(
        "Average recall (%) / average AUC by speaker and script",
        {r.name: partial(both, r.name) for r in results},
        {
            (title(s), *PAPER.get(s, (None, None))): {r.name: r.by_script[s] for r in results if s in r.by_script}
            for s in systems
        },
        heads=("system", "paper, IEMOCAP", "paper, MSP-Podcast"),
        note=f"{_statistic(seeds)}. The paper: 10 seeds, BERT-base and GloVe. Here the text is of: {encoder}.",
    )


def _classes(result: CorpusResult) -> Table:
    return table(
        f"{result.name}: recall of each class, macro F1 and accuracy (%), first seed",
        CLASSES,
        {(title(system),): outcome.scores for system, outcome in result.by_script.items()},
        heads=("system",),
        note=result.splits["speaker-script"],
    )


def _pictures(study: Study, result: CorpusResult) -> list[Picture]:
    album, name, outcomes, pictures = Album(study, "pictures"), result.name, result.by_script, list[Picture]()
    best = max((s for s in outcomes if s != LOOK_UP), key=lambda s: outcomes[s].auc[0])
    for system in dict.fromkeys(("audio", best)):
        confusion, words = outcomes[system].scores["confusion"], title(system)
        path, caption = f"confusion-{name}-{system.replace(' ', '-')}", f"{name}, {words}, by speaker and script"
        pictures.append(album.confusion(path, confusion, LABELS, title=f"{name}: {words}", caption=caption))
    histories = [outcome.history for outcome in outcomes.values() if outcome.history is not None]
    first, caption = f"{name}: first fold, first seed", f"{name}: accuracy and loss in training"
    return [*pictures, album.curves(f"curves-{name}", histories, title=first, caption=caption)]


def _figures(result: CorpusResult) -> dict[str, Any]:
    def of(outcome: Outcome) -> dict[str, Any]:
        figures = {"uar": [round(v, 5) for v in outcome.uar], "auc": [round(v, 5) for v in outcome.auc]}
        return {**figures, "scores": outcome.scores, "curves": outcome.history}

    criteria = {
        criterion: {"split": split, "systems": {s: of(o) for s, o in result.outcomes[criterion].items()}}
        for criterion, split in result.splits.items()
    }
    return {"scripts": dict(result.scripts), "criteria": criteria}


def _statistic(seeds: int) -> str:
    return "one seed" if seeds == 1 else f"median ± interquartile range of {seeds} seeds"
