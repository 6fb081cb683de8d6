"""ASED (Amharic): 65 speakers, 5 emotions; `a5-03-01-02-50.wav`.

Emotion and its number (n1 neutral, f2 fearful, h3 happy, s4 sad, a5 angry), sentence, repetition, gender (01 female,
02 male), speaker. Sentences are numbered within their emotion. The original recordings of a class are padded to one
length: length alone tells it, so trim them before a classifier hears them.
"""

import re
from pathlib import PurePosixPath

from overtone_cloud.corpora.corpus import Corpus, NameFields, OfficialCounts

_NAME = re.compile(r"(n1|f2|h3|s4|a5)-(\d{2})-(\d{2})-(0[12])-(\d{2})", re.IGNORECASE)
_SPEAKERS = 65


def parse_name(relative: PurePosixPath) -> NameFields | None:
    """Return the fields of a file's name, or None for names that ASED does not have."""
    match = _NAME.fullmatch(relative.stem)
    if match is None or not 1 <= int(match[5]) <= _SPEAKERS:
        return None
    emotion = match[1][0].lower()
    return NameFields(
        key=relative.stem.lower(),
        corpus_label=emotion,
        speaker=match[5],
        gender="female" if match[4] == "01" else "male",
        sentence=f"{emotion}{match[2]}",
    )


ASED = Corpus(
    name="ased",
    title="ASED",
    language="Amharic",
    page="https://github.com/Ethio2021/ASED_V1",
    licence="none stated, so not for commercial use; asks for citation (Retta et al., 2022)",
    model_terms="no licence stated, cite Retta et al., 2022 (ASED)",
    commercial=False,
    instructions="git clone https://github.com/Ethio2021/ASED_V1",
    # Its publisher states the total alone.
    official=OfficialCounts(utterances=2474, speakers=tuple(f"{n:02}" for n in range(1, _SPEAKERS + 1)), labels={}),
    labels={"n": "neutral", "f": "fearful", "h": "happy", "s": "sad", "a": "angry"},
    parse_name=parse_name,
)
