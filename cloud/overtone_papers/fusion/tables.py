"""System D's parts of the report: the folds' effect, the fusions beside the paper's table, classes, pictures."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from overtone_papers.common.pictures import Album
from overtone_papers.common.report import Cell, Part, Picture, Table
from overtone_papers.common.study import Study
from overtone_papers.common.tables import Columns, table
from overtone_papers.fusion.data import LABELS
from overtone_papers.fusion.experiment import LOOK_UP, CorpusResult, Finding, Outcome

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

COSTS: Columns = {
    "parameters": lambda outcome: outcome.parameters,
    "training of a fold (s)": lambda outcome: outcome.seconds,
    "inference (ms an utterance)": lambda outcome: f"{outcome.inference_ms:.2f}",
}


def figure(values: Sequence[float], *, percent: bool) -> str:
    """Return the median and, of several seeds, the interquartile range: `56.0 ± 1.9` or `.782 ± .006`."""

    def written(value: float) -> str:
        return f"{100 * value:.1f}" if percent else f"{value:.3f}".removeprefix("0")

    low, middle, high = np.percentile(np.array(values), [25, 50, 75])
    return written(middle) if len(values) < 2 else f"{written(middle)} ± {written(high - low)}"


def both(outcome: Outcome | None) -> str | None:
    """Return average recall in per cent and average AUC, as `56.0 ± 1.9 / .782 ± .006`."""
    if outcome is None:
        return None
    return f"{figure(outcome.uar, percent=True)} / {figure(outcome.auc, percent=False)}"


def title(system: str) -> str:
    """Return a system's name for readers; sizes are named behind it."""
    base, _, size = system.partition(" ")
    return f"{TITLES.get(base, base)}{f', nodes {size}' if size else ''}"


def folds_part(results: Sequence[CorpusResult], seeds: int) -> Part:
    """Return figure 2 as a table per corpus: what three ways of making folds say of audio and of text alone."""
    return Part(
        name="folds",
        title="What the folds say: random, by speaker, by speaker and script",
        split="; ".join(finding.split for result in results for finding in result.findings.values()),
        tables=(*(_criteria(result, seeds) for result in results), _scripts(results)),
        figures={result.name: _figures(result) for result in results},
    )


def fusion_part(results: Sequence[CorpusResult], study: Study, encoder: str) -> Part:
    """Return table 1: single networks and fusions on folds by speaker and script, beside the paper's."""
    findings = {r.name: r.findings["speaker-script"] for r in results}
    costs = {
        (name, title(system)): outcome
        for name, finding in findings.items()
        for system, outcome in finding.outcomes.items()
        if system != LOOK_UP
    }
    return Part(
        name="fusion",
        title="Audio, text and their fusions",
        split="; ".join(finding.split for finding in findings.values()),
        tables=(
            _systems(findings, study.seeds, encoder),
            *(_classes(name, finding) for name, finding in findings.items()),
            table(
                "Size and time",
                COSTS,
                costs,
                heads=("corpus", "system"),
                note="Pre-trained fusions train behind the frozen branches only: the branches' own training comes on "
                "top.",
            ),
        ),
        pictures=tuple(picture for name, finding in findings.items() for picture in _pictures(study, name, finding)),
        figures={r.name: _figures(r) for r in results},
    )


def _criteria(result: CorpusResult, seeds: int) -> Table:
    systems = dict.fromkeys(s for f in result.findings.values() for s in f.outcomes if s == LOOK_UP or "-" not in s)
    rows: list[tuple[Cell, ...]] = [
        (
            CRITERION_TITLES[criterion],
            "yes" if criterion == "random" else "no",
            "no" if criterion == "speaker-script" else "yes",
            *(both(finding.outcomes.get(name)) for name in systems),
        )
        for criterion, finding in result.findings.items()
    ]
    return Table(
        title=f"{result.name}: average recall (%) / average AUC by the folds' criterion",
        columns=("folds", "speakers shared", "scripts shared", *map(title, systems)),
        rows=tuple(rows),
        note=f"{_statistic(seeds)}; chance is 25.0 / .500. The paper draws this as figure 2, without numbers.",
    )


def _scripts(results: Sequence[CorpusResult]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for result in results:
        counts, looked_up = result.scripts, result.by_criterion(LOOK_UP)
        numbers = (counts["utterances"], counts["scripts"], counts["in_every_class"])
        rows.append((result.name, *numbers, *(both(looked_up.get(criterion)) for criterion in CRITERION_TITLES)))
    return Table(
        title="What the script alone gives away: the labels it had in training, looked up",
        columns=("corpus", "utterances", "scripts", "spoken in all 4 classes", *CRITERION_TITLES.values()),
        rows=tuple(rows),
        note=(
            "No network: above chance (25.0 / .500) is what a text network can learn by heart. Sentences that are each "
            "spoken in every emotion give nothing away, and text cannot help; below chance comes from equal counts: "
            "what a script had more of in training it has less of in the test. By script nothing can be looked up."
        ),
    )


def _systems(findings: Mapping[str, Finding], seeds: int, encoder: str) -> Table:
    names = dict.fromkeys(s for f in findings.values() for s in f.outcomes if s != LOOK_UP and " " not in s)
    rows: list[tuple[Cell, ...]] = [
        (title(s), *PAPER.get(s, (None, None)), *(both(finding.outcomes.get(s)) for finding in findings.values()))
        for s in names
    ]
    return Table(
        title="Average recall (%) / average AUC by speaker and script",
        columns=("system", "paper, IEMOCAP", "paper, MSP-Podcast", *findings),
        rows=tuple(rows),
        note=f"{_statistic(seeds)}. The paper: 10 seeds, BERT-base and GloVe. Here the text is of: {encoder}.",
    )


def _classes(name: str, finding: Finding) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for system, outcome in finding.outcomes.items():
        scores = outcome.scores
        recalls = [scores["per_class"][label]["recall"] for label in LABELS]
        shares = (*recalls, scores["macro_f1"], scores["accuracy"])
        rows.append((title(system), *(None if share is None else 100 * share for share in shares)))
    return Table(
        title=f"{name}: recall of each class, macro F1 and accuracy (%), first seed",
        columns=("system", *LABELS, "macro F1", "accuracy"),
        rows=tuple(rows),
        note=finding.split,
    )


def _pictures(study: Study, name: str, finding: Finding) -> list[Picture]:
    album = Album(study, "pictures")
    best = max((s for s in finding.outcomes if s != LOOK_UP), key=lambda s: finding.outcomes[s].auc[0])
    confusions = [
        album.confusion(
            f"confusion-{name}-{system.replace(' ', '-')}",
            finding.outcomes[system].scores["confusion"],
            LABELS,
            title=f"{name}: {title(system)}",
            caption=f"{name}, {title(system)}, by speaker and script",
        )
        for system in dict.fromkeys(("audio", best))
    ]
    curves = album.curves(
        f"curves-{name}",
        [o.history for o in finding.outcomes.values() if o.history is not None],
        title=f"{name}: first fold, first seed",
        caption=f"{name}: accuracy and loss in training",
    )
    return [*confusions, curves]


def _figures(result: CorpusResult) -> dict[str, Any]:
    return {
        "scripts": dict(result.scripts),
        "criteria": {
            criterion: {
                "split": finding.split,
                "systems": {
                    name: {
                        "uar": [round(v, 5) for v in o.uar],
                        "auc": [round(v, 5) for v in o.auc],
                        "scores": dict(o.scores),
                        "curves": None if o.history is None else dict(o.history),
                    }
                    for name, o in finding.outcomes.items()
                },
            }
            for criterion, finding in result.findings.items()
        },
    }


def _statistic(seeds: int) -> str:
    return "one seed" if seeds == 1 else f"median ± interquartile range of {seeds} seeds"
