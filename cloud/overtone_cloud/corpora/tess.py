"""TESS: two women say "Say the word ..." with 200 words and 7 emotions.

`OAF_back_angry.wav`; the folders' case is mixed, one file begins with `OA`, `ps` is pleasant surprise.
"""

import re
from pathlib import PurePosixPath

from overtone_cloud.corpora.base import Corpus, Described, Official

_NAME = re.compile(r"(oaf|oa|yaf)_([a-z]+)_(angry|disgust|fear|happy|neutral|ps|sad)", re.IGNORECASE)


def describe(relative: PurePosixPath) -> Described | None:
    """Return what a file's name says, or None for names TESS does not have."""
    match = _NAME.fullmatch(relative.stem)
    if match is None:
        return None
    prefix, word, emotion = (part.lower() for part in match.groups())
    speaker = "YAF" if prefix == "yaf" else "OAF"
    return Described(
        key=f"{speaker}_{word}_{emotion}",
        corpus_label=emotion,
        speaker=speaker,
        gender="female",
        sentence=word,
        text=f"Say the word {word}",
    )


CORPUS = Corpus(
    name="tess",
    title="TESS",
    official=Official(
        utterances=2800,
        speakers=("OAF", "YAF"),
        labels=dict.fromkeys(("angry", "disgust", "fear", "happy", "neutral", "ps", "sad"), 400),
        per_speaker=1400,
    ),
    describe=describe,
)
