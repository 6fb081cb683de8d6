"""TESS: two women say "Say the word ..." with 200 words and 7 emotions.

`OAF_back_angry.wav`; the folders' case is mixed, one file begins with `OA`, `ps` is pleasant surprise.
"""

import re
from pathlib import PurePosixPath

from overtone_cloud.corpora.corpus import Archive, Corpus, NameFields, OfficialCounts
from overtone_models.labels import Affect

_NAME = re.compile(r"(oaf|oa|yaf)_([a-z]+)_(angry|disgust|fear|happy|neutral|ps|sad)", re.IGNORECASE)


def parse_name(relative: PurePosixPath) -> NameFields | None:
    """Return the fields of a file's name, or None for names that TESS does not have."""
    match = _NAME.fullmatch(relative.stem)
    if match is None:
        return None
    prefix, word, emotion = (part.lower() for part in match.groups())
    speaker = "YAF" if prefix == "yaf" else "OAF"
    return NameFields(
        key=f"{speaker}_{word}_{emotion}",
        corpus_label=emotion,
        speaker=speaker,
        gender="female",
        sentence=word,
        text=f"Say the word {word}",
    )


TESS = Corpus(
    name="tess",
    title="TESS",
    language="English",
    page="https://doi.org/10.5683/SP2/E8H2MF",
    licence="CC BY-NC-ND 4.0 (not for commercial use; no derivatives; cite Pichora-Fuller, 2020)",
    model_terms="CC BY-NC-ND 4.0 (TESS): non-commercial, no derivatives of the recordings",
    commercial=False,
    archive=Archive(
        url="https://borealisdata.ca/api/access/dataset/:persistentId/?persistentId=doi:10.5683/SP2/E8H2MF",
        file_name="tess.zip",
    ),
    official=OfficialCounts(
        utterances=2800,
        speakers=("OAF", "YAF"),
        labels=dict.fromkeys(("angry", "disgust", "fear", "happy", "neutral", "ps", "sad"), 400),
        per_speaker=1400,
    ),
    labels={
        "neutral": "neutral",
        "happy": "happy",
        "sad": "sad",
        "angry": "angry",
        "fear": "fearful",
        "disgust": "disgust",
        "ps": "surprised",
        "pleasant_surprise": "surprised",
        "pleasant_surprised": "surprised",
    },
    affect={"ps": Affect(4.0, 4.0)},
    parse_name=parse_name,
)
