"""BAVED (Arabic): 61 speakers, 7 words, each at three levels of expressed emotion; `0/10-f-20-0-1-0.wav`.

Speaker, gender, age, word, level, record. A level says how much emotion is expressed, not which: 0 low (tired or down),
1 neutral (as the speaker talks every day), 2 high (joy, anger, sadness or other). Only level 1 is a class of its own,
neutral; the recordings of levels 0 and 2 keep their level as `intensity` and have no emotion.
"""

import re
from pathlib import PurePosixPath

from overtone_cloud.corpora.corpus import Corpus, NameFields, OfficialCounts

_LEVELS = {"0": "low", "1": "neutral", "2": "high"}
_NAME = re.compile(r"(\d{1,4})-([mf])-(\d{1,3})-([0-6])-([0-2])-(\d+)", re.IGNORECASE)


def parse_name(relative: PurePosixPath) -> NameFields | None:
    """Return the fields of a file's name, or None for names that BAVED does not have."""
    match = _NAME.fullmatch(relative.stem)
    if match is None:
        return None
    level = _LEVELS[match[5]]
    return NameFields(
        key=relative.stem.lower(),
        corpus_label=level,
        speaker=match[1],
        gender="male" if match[2].lower() == "m" else "female",
        sentence=match[4],
        intensity=level,
    )


BAVED = Corpus(
    name="baved",
    title="BAVED",
    language="Arabic",
    page="https://github.com/40uf411/Basic-Arabic-Vocal-Emotions-Dataset",
    licence="none stated, so not for commercial use, which its authors advise against",
    model_terms="no licence stated (BAVED)",
    commercial=False,
    instructions="git clone https://github.com/40uf411/Basic-Arabic-Vocal-Emotions-Dataset",
    # Its publisher states neither the recordings of each level nor the names of its 61 speakers.
    official=OfficialCounts(utterances=1935, speakers=(), labels={}),
    labels={"neutral": "neutral"},
    parse_name=parse_name,
)
