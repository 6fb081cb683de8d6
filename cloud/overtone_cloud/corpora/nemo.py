"""nEMO: nine Polish speakers, 90 sentences, 6 emotions; `samples/EB0_anger_1.wav` and `data.tsv`."""

import re
from dataclasses import replace
from pathlib import Path, PurePosixPath

from overtone_cloud.corpora.corpus import Archive, Corpus, Enrichment, NameFields, OfficialCounts
from overtone_cloud.corpora.files import find_table, read_rows
from overtone_cloud.corpora.utterance import Problem, Utterance

_EMOTIONS = ("anger", "fear", "happiness", "neutral", "sadness", "surprised")
_NAME = re.compile(rf"([A-Z]{{2}}\d)_({'|'.join(_EMOTIONS)})_(\d{{1,2}})", re.IGNORECASE)
_TABLE = "data.tsv"


def parse_name(relative: PurePosixPath) -> NameFields | None:
    """Return the fields of a file's name, or None for names that nEMO does not have."""
    match = _NAME.fullmatch(relative.stem)
    if match is None:
        return None
    speaker, emotion, sentence = match[1].upper(), match[2].lower(), str(int(match[3]))
    return NameFields(key=f"{speaker}_{emotion}_{sentence}", corpus_label=emotion, speaker=speaker, sentence=sentence)


def enrich(root: Path, utterances: tuple[Utterance, ...]) -> Enrichment:
    """Add gender and text from `data.tsv`, if it is there, and report the recordings that it lists but are missing."""
    table = find_table(root, _TABLE)
    if table is None:
        return utterances, (Problem(kind="note", text=f"no {_TABLE}: gender and text are unknown"),)
    rows = {Path(row.get("file_id", "")).stem.lower(): row for row in read_rows(table).rows}
    seen = {u.path.stem.lower() for u in utterances}
    absent = tuple(sorted(stem for stem in rows if stem not in seen))
    text = f"{len(absent)} recordings of {_TABLE} are not there"
    problems = (Problem(kind="missing", text=text, names=absent),) if absent else ()
    return tuple(_with_row(u, rows.get(u.path.stem.lower(), {})) for u in utterances), problems


def _with_row(utterance: Utterance, row: dict[str, str]) -> Utterance:
    return replace(utterance, gender=row.get("gender") or None, text=row.get("raw_text") or None)


NEMO = Corpus(
    name="nemo",
    title="nEMO",
    language="Polish",
    page="https://github.com/amu-cai/nEMO",
    licence="CC BY-NC-SA 4.0 (not for commercial use; share alike; cite Christop, 2024)",
    model_terms="CC BY-NC-SA 4.0 (nEMO): non-commercial, share alike",
    commercial=False,
    archive=Archive(
        url="https://github.com/amu-cai/nEMO/archive/06f1f83dde8f1a780443a57d53b2af3971af34ab.zip",
        file_name="nemo.zip",
    ),
    official=OfficialCounts(
        utterances=4481,
        speakers=("EB0", "IC0", "KD0", "KS0", "MK0", "MP0", "SM0", "TP0", "WR0"),
        labels={
            "anger": 749,
            "fear": 736,
            "happiness": 749,
            "neutral": 809,
            "sadness": 769,
            "surprised": 669,
        },
    ),
    labels={
        "neutral": "neutral",
        "happiness": "happy",
        "sadness": "sad",
        "anger": "angry",
        "fear": "fearful",
        "surprised": "surprised",
        "surprise": "surprised",
    },
    parse_name=parse_name,
    enrich=enrich,
)
