"""Indian EmoSpeech Command Dataset: English and Hindi command words recorded in browsers, 4 emotions, weak labels.

`House/bacho-safe-angry-1562907046662-d14a028c....wav`: keyword, environment, emotion, time (`??` in a few names), hash
of the user; copies with shortened names lack the environment. Calm is its speech without emotion, beside which it has
no neutral, so it is read as neutral. The hash of nothing stands for unknown users. Folders are the places of recording.
"""

import hashlib
import re
from pathlib import PurePosixPath

from overtone_cloud.corpora.corpus import Corpus, NameFields, OfficialCounts

_KEYWORDS = ("help", "bacho", "stop", "no", "go", "yes", "unknown", "background")
_NAME = re.compile(
    rf"({'|'.join(_KEYWORDS)})-(?:[a-z _]+-)?(happy|angry|fearful|calm|none)-(?:\d+|\?+)-([0-9a-f]{{8,64}})",
    re.IGNORECASE,
)
_USER_DIGITS = 8
_UNKNOWN_USER = hashlib.sha224(b"").hexdigest()[:_USER_DIGITS]


def parse_name(relative: PurePosixPath) -> NameFields | None:
    """Return the fields of a file's name, or None for other names and recordings without a keyword."""
    match = _NAME.fullmatch(relative.stem)
    if match is None or match[1].lower() == "background":
        return None
    keyword, user = match[1].lower(), match[3].lower()[:_USER_DIGITS]
    return NameFields(
        key=relative.stem.lower(),
        corpus_label=match[2].lower(),
        speaker=None if user == _UNKNOWN_USER else user,
        sentence=keyword,
        text=None if keyword == "unknown" else keyword,
    )


def other_kind(relative: PurePosixPath) -> str | None:
    """Return the kind of a recording in which nobody says a keyword."""
    match = _NAME.fullmatch(relative.stem)
    return "background sound" if match is not None and match[1].lower() == "background" else None


INDIAN_EMOSPEECH = Corpus(
    name="indian-emospeech",
    title="Indian EmoSpeech Command Dataset",
    language="English, Hindi",
    page="https://github.com/RakshakTeam/emospeech-dataset-v1",
    licence="CC BY-NC-SA 4.0 (not for commercial use; share alike; cite Banga et al., 2019)",
    model_terms="CC BY-NC-SA 4.0 (Indian EmoSpeech): non-commercial, share alike",
    commercial=False,
    instructions="git clone https://github.com/RakshakTeam/emospeech-dataset-v1",
    # Its publisher states no counts.
    official=OfficialCounts(utterances=None, speakers=(), labels={}),
    labels={"happy": "happy", "angry": "angry", "fearful": "fearful", "calm": "neutral"},
    parse_name=parse_name,
    other_kind=other_kind,
)
