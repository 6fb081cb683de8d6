"""The model card as Markdown: data, licence, training, figures, use; the same facts give the same card."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from overtone_cloud.corpora.registry import NON_COMMERCIAL
from overtone_cloud.pretraining.card_data import UNKNOWN
from overtone_cloud.recognition.report import FIGURE_HEAD, JOINT_HEAD, figure_cells, joint_cells

CONFUSIONS = 6
WORST = 5
NO_ANSWER = "nothing heard"


def card(facts: Mapping[str, Any]) -> str:
    """Return the card."""
    name, bundle = facts["name"], facts["bundle"]
    sections = [
        f"# Pretrained model `{name}`",
        f"An int8 network that tells {_enumeration(bundle['labels'])} apart in a voice, or says that it cannot decide. "
        f"**{_first_upper(bundle['licence'].split(':')[0])}.** Written by `overtone pretrain`; do not edit.",
        _summary(facts),
        *_data(facts),
        *_training(facts),
        *_figure_sections(facts),
        *_parity(facts),
        *_use(facts),
    ]
    return "\n\n".join(sections) + "\n"


def _enumeration(things: Sequence[str]) -> str:
    return things[0] if len(things) == 1 else f"{', '.join(things[:-1])} and {things[-1]}"


def _first_upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def _summary(facts: Mapping[str, Any]) -> str:
    bundle, network = facts["bundle"], facts["bundle"]["network"]
    shape = ", ".join(f"{key} {value}" for key, value in network.items() if key not in ("family", "n_classes"))
    return _table(
        ("", ""),
        [
            ("file", f"`{facts['name']}.bundle`, {bundle['bytes']:,} bytes, not signed, version {bundle['version']}"),
            ("SHA-256", f"`{bundle['sha256']}`"),
            ("made", f"{bundle['created']}, `{facts['command']}`"),
            ("network", f"{network['family']}: {shape}; {bundle['parameters']:,} parameters"),
            ("listening file", f"{bundle['streaming_bytes']:,} bytes int8"),
            ("training file", f"{bundle['training_bytes']:,} bytes, without weights"),
            ("work", f"{bundle['multiply_adds_3_s']:,} multiply-adds for 3 s of speech"),
            ("decides from", f"a probability of {bundle['threshold']:.2f} (temperature {bundle['temperature']:.2f})"),
            ("base, layout", f"`{bundle['base'][:16]}`, `{bundle['layout'][:16]}`"),
        ],
    )


def _data(facts: Mapping[str, Any]) -> list[str]:
    rows = [
        (
            f"[{corpus['title']}]({corpus['page']})" if corpus["page"] else corpus["title"],
            corpus["language"],
            f"{corpus['utterances']:,}",
            ", ".join(f"{n} {kind}" for kind, n in corpus["speakers"].items()),
            ", ".join(f"{label} ({n:,})" for label, n in corpus["left_out"].items()) or "none",
        )
        for corpus in facts["corpora"].values()
    ]
    return [
        "## Data",
        _table(("corpus", "language", "utterances", "speakers", "classes left out"), rows),
        f"Acted speech, {_classes(facts)} The numbers are of what was there to train on, "
        "which may be less than the official corpus. No recording is in the bundle.",
        "## Licence",
        "\n".join(f"- {corpus['title']}: {corpus['licence']}" for corpus in facts["corpora"].values()),
        f'The bundle carries this line: "{facts["bundle"]["licence"]}". Overtone\'s own licence (Apache-2.0) is the '
        "software's, not that of these weights. Who needs other terms trains on other recordings (`overtone train`).",
    ]


def _classes(facts: Mapping[str, Any]) -> str:
    """Return which classes train; cards from before corpora could have different ones do not say what each has."""
    labels = facts["bundle"]["labels"]
    lacking = {
        corpus["title"]: [label for label in labels if label not in corpus.get("classes", labels)]
        for corpus in facts["corpora"].values()
    }
    if not any(lacking.values()):
        return (
            "of the classes that all of these corpora have: a class that one corpus alone has would be "
            "recognised by that corpus' room, microphone and language."
        )
    said = "; ".join(f"{title} no {_enumeration(absent)}" for title, absent in lacking.items() if absent)
    return (
        f"each corpus giving the classes that it has: {said}. A class that few corpora have is recognised by their "
        "rooms, microphones and languages too."
    )


def _training(facts: Mapping[str, Any]) -> list[str]:
    training = facts["training"]
    skipped = f"; {len(training['skipped'])} could not be read or heard" if training["skipped"] else ""
    return [
        "## Training",
        "\n".join(
            [
                f"- Split: [split.json](split.json): {training['split']}{skipped}.",
                f"- Settings: [settings.toml](settings.toml), seed {training['seed']}; one training, none was chosen "
                "among several.",
                _conditions(training),
                f"- Selection rule: {training['selection']}",
                "- No speaker is left to test this very model: **a figure of it on these corpora would be of speakers "
                "that it was trained on or chosen by.**",
            ]
        ),
    ]


def _conditions(training: Mapping[str, Any]) -> str:
    """Return the line on recording conditions, sounds and read speech."""
    if not training["conditioned"]:
        text = "- Speech as recorded"
    else:
        noise = " and in noise" if training["sounds"] else ""
        text = f"- {100 * training['conditioned']:.0f} % of the speech in simulated rooms, over the telephone{noise}"
    sounds = f"; {training['sounds']} everyday sounds as no emotion" if training["sounds"] else ""
    readings = training.get("read_speech", 0)
    speech = f"; {readings} recordings of read speech as neutral" if readings else ""
    return f"{text}{sounds}{speech}."


def _parity(facts: Mapping[str, Any]) -> list[str]:
    parity = facts["parity"]
    return [
        "## Conversion",
        f"On {parity['utterances']} utterances, those of the inner speakers as recorded, from afar, over the "
        f"telephone, quiet and loud, with {parity['runtime']}: the int8 file "
        f"gives the float network's label for {100 * parity['label_agreement']:.1f} %; 20 training steps are within "
        f"{parity['head_step_difference']:.1g} (head) and {parity['full_step_difference']:.1g} (whole network) of "
        f"TensorFlow's; the golden clip is within {parity['golden_difference']:.1g}. Command: "
        f"`overtone verify {facts['name']} {corpus_words(facts)}`.",
    ]


def corpus_words(facts: Mapping[str, Any]) -> str:
    """Return the corpora as a command line names them."""
    return " ".join(f"--corpus {name}=path/to/{name}" for name in facts["corpora"])


def _use(facts: Mapping[str, Any]) -> list[str]:
    languages_known = sorted({corpus["language"] for corpus in facts["corpora"].values()} - {UNKNOWN})
    languages = _enumeration(languages_known) if languages_known else "those of its recordings"
    commercial = ["- Commercial use, as long as the weights come from these corpora."]
    return [
        "## Intended use",
        "For people who know that it listens and agreed to it: trying Overtone out, a voice assistant that notices "
        "frustration, a diary, research with consent, a base to train further. It recognises acted emotion in a voice, "
        "with the errors above, not what somebody feels.",
        "## Not for",
        "\n".join(
            [
                "- **Emotion recognition at the workplace and in education: prohibited in the EU** (AI Act, Article "
                "5(1)(f), except for medical or safety reasons). Other uses there may be high-risk, or those concerned "
                "must be told.",
                "- Decisions about people: hiring, credit, insurance, policing, diagnosis.",
                "- Listening to people who do not know of it.",
                *(commercial if NON_COMMERCIAL in facts["bundle"]["licence"] else []),
                f"- Languages other than {languages}, children, old or ill voices, spontaneous speech: nothing was "
                "measured on them.",
            ]
        ),
    ]


def _figure_sections(facts: Mapping[str, Any]) -> list[str]:
    """Return the sections with figures; without a report, one section that says so."""
    figures = facts["figures"]
    if figures is None:
        return [
            "## Figures",
            "None yet: `overtone benchmark recognition` was not run with these settings, or its report was not given "
            "to `overtone pretrain --figures`.",
        ]
    model = figures["one_model"]
    return [*_introduction(figures), *_one_model(figures), *_speakers(model), *_failures(figures)]


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
        _table(FIGURE_HEAD, [figure_cells(row) for row in model["figures"]]),
        _table(JOINT_HEAD, [joint_cells(row) for row in figures["joint"]]),
        _table(("emotion", "recall"), [(label, _share(model["recalls"][label])) for label in model["labels"]]),
        "### Deciding less often",
        _table(
            ("decides from", "utterances decided", "of those right"),
            [*map(_cover, model["coverage"]), ("**its own threshold**", *_cover(model["own_thresholds"])[1:])],
        ),
    ]


def _cover(cover: Mapping[str, Any]) -> tuple[str, str, str]:
    right = "–" if cover["accuracy"] is None else f"{100 * cover['accuracy']:.1f} %"
    return f"{cover['threshold']:.2f}", f"{100 * cover['coverage']:.1f} %", right


def _share(share: Mapping[str, Any]) -> str:
    deviation = "" if share["sd"] is None else f" ± {100 * share['sd']:.1f}"
    return f"{100 * share['mean']:.1f}{deviation} %"


def _speakers(model: Mapping[str, Any]) -> list[str]:
    return [
        "### By gender",
        _table(("gender", "UAR"), [(kind, _share(uar)) for kind, uar in model["genders"].items()]),
        "### By speaker",
        _table(
            ("speaker", "gender", "UAR"),
            [(name, uar["gender"], _share(uar)) for name, uar in model["speakers"].items()],
        ),
    ]


def _failures(figures: Mapping[str, Any]) -> list[str]:
    model = figures["one_model"]
    missed = [row for row in model["figures"] if row["met"] is False]
    lines = [f"- Target missed, {row['corpus']}: {_sentence(row)}." for row in missed]
    return [
        "## Failure cases",
        _table(("spoken", "taken for", "of those spoken"), confusions(model["labels"], model["confusion"])),
        f"The speakers least well recognised: {', '.join(worst(model['speakers']))}.",
        *(["\n".join(lines)] if lines else []),
    ]


def _sentence(row: Mapping[str, Any]) -> str:
    name, value, target, _ = figure_cells(row)
    return f"{name} {value}, target {target}"


def confusions(labels: Sequence[str], counts: Sequence[Sequence[int]]) -> list[tuple[str, str, str]]:
    """Return the commonest mistakes as (spoken, taken for, share of what was spoken), the largest share first."""
    predicted = [*labels, NO_ANSWER]
    mistakes = [
        (count / sum(row), spoken, answer)
        for spoken, row in zip(labels, counts, strict=True)
        for answer, count in zip(predicted, row, strict=True)
        if answer != spoken and count
    ]
    mistakes.sort(key=lambda one: (-one[0], one[1], one[2]))
    return [(spoken, answer, f"{100 * share:.1f} %") for share, spoken, answer in mistakes[:CONFUSIONS]]


def worst(speakers: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the speakers with the lowest UAR, the lowest first."""
    order = sorted(speakers, key=lambda name: (speakers[name]["mean"], name))
    return [f"{name} ({_share(speakers[name])})" for name in order[:WORST]]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
