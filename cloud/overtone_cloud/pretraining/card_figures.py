"""The card's figures: each with its command; who is recognised less well, and what is taken for what."""

from collections.abc import Mapping, Sequence
from typing import Any

from overtone_cloud.pretraining.markdown import table
from overtone_cloud.recognition.report import FIGURE_HEAD, JOINT_HEAD, figure_cells, joint_cells

CONFUSIONS = 6
WORST = 5
NOTHING = "nothing heard"


def figure_sections(facts: Mapping[str, Any]) -> list[str]:
    """Return the sections of figures; without figures one that says so."""
    figures = facts["figures"]
    if figures is None:
        return [
            "## Figures",
            "None yet: `overtone benchmark recognition` was not run with these settings, or its report was not given "
            "to `overtone pretrain --figures`.",
        ]
    model = figures["one_model"]
    return [*_introduction(figures), *_one_model(figures), *_people(model), *_failures(figures)]


def _introduction(figures: Mapping[str, Any]) -> list[str]:
    versions = ", ".join(f"{name} {value}" for name, value in figures["versions"].items())
    seeds = len(figures["seeds"])
    return [
        "## Figures",
        f"Of models trained with the same settings on a part of the speakers and tested on the others, "
        f"{seeds} seed{'' if seeds == 1 else 's'}, never of this very model. Every figure below comes from one command "
        f"({figures['date']}; {versions}):",
        f"```\n{figures['command']}\n```",
    ]


def _one_model(figures: Mapping[str, Any]) -> list[str]:
    model = figures["one_model"]
    return [
        "### One model for all corpora, as this one is",
        f"{figures['split']}. The first table is over the utterances of all corpora together, so that "
        "large corpora weigh more; the second is by corpus (UAR).",
        table(FIGURE_HEAD, [figure_cells(row) for row in model["figures"]]),
        table(JOINT_HEAD, [joint_cells(row) for row in figures["joint"]]),
        table(("emotion", "recall"), [(label, _share(model["recalls"][label])) for label in model["labels"]]),
        "### Deciding less often",
        table(
            ("decides from", "utterances decided", "of those right"),
            [*map(_cover, model["coverage"]), ("**its own threshold**", *_cover(model["own_thresholds"])[1:])],
        ),
    ]


def _cover(cover: Mapping[str, Any]) -> tuple[str, str, str]:
    right = "–" if cover["accuracy"] is None else f"{100 * cover['accuracy']:.1f} %"
    return f"{cover['threshold']:.2f}", f"{100 * cover['coverage']:.1f} %", right


def _share(found: Mapping[str, Any]) -> str:
    deviation = "" if found["sd"] is None else f" ± {100 * found['sd']:.1f}"
    return f"{100 * found['mean']:.1f}{deviation} %"


def _people(model: Mapping[str, Any]) -> list[str]:
    return [
        "### By gender",
        table(("gender", "UAR"), [(kind, _share(found)) for kind, found in model["genders"].items()]),
        "### By speaker",
        table(
            ("speaker", "gender", "UAR"),
            [(name, found["gender"], _share(found)) for name, found in model["speakers"].items()],
        ),
    ]


def _failures(figures: Mapping[str, Any]) -> list[str]:
    model = figures["one_model"]
    missed = [row for row in model["figures"] if row["met"] is False]
    lines = [f"- Target missed, {row['corpus']}: {_sentence(row)}." for row in missed]
    return [
        "## Failure cases",
        table(("spoken", "taken for", "of those spoken"), confusions(model["labels"], model["confusion"])),
        f"The speakers least well recognised: {', '.join(worst(model['speakers']))}.",
        *(["\n".join(lines)] if lines else []),
    ]


def _sentence(row: Mapping[str, Any]) -> str:
    name, value, target, _ = figure_cells(row)
    return f"{name} {value}, target {target}"


def confusions(labels: Sequence[str], counts: Sequence[Sequence[int]]) -> list[tuple[str, str, str]]:
    """Return the commonest mistakes as (spoken, taken for, share of what was spoken), the largest share first."""
    predicted = [*labels, NOTHING]
    found = [
        (count / sum(row), spoken, taken)
        for spoken, row in zip(labels, counts, strict=True)
        for taken, count in zip(predicted, row, strict=True)
        if taken != spoken and count
    ]
    found.sort(key=lambda one: (-one[0], one[1], one[2]))
    return [(spoken, taken, f"{100 * share:.1f} %") for share, spoken, taken in found[:CONFUSIONS]]


def worst(speakers: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the speakers with the lowest UAR, the lowest first."""
    order = sorted(speakers, key=lambda name: (speakers[name]["mean"], name))
    return [f"{name} ({_share(speakers[name])})" for name in order[:WORST]]
