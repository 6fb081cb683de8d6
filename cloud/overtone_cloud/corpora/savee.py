"""SAVEE: four men, 7 emotions, 120 sentences each; `DC_a01.wav` in one folder or `DC/a01.wav`."""

import re
from pathlib import PurePosixPath

from overtone_cloud.corpora.corpus import Corpus, NameFields, OfficialCounts

_NAME = re.compile(r"(?:(dc|je|jk|kl)_)?(sa|su|a|d|f|h|n)(\d{2})", re.IGNORECASE)
_SPEAKERS = ("DC", "JE", "JK", "KL")


def parse_name(relative: PurePosixPath) -> NameFields | None:
    """Return the fields of a file's name, and of its folder where that is the speaker; None for other names."""
    match = _NAME.fullmatch(relative.stem)
    if match is None:
        return None
    speaker = (match[1] or relative.parent.name).upper()
    if speaker not in _SPEAKERS:
        return None
    emotion, sentence = match[2].lower(), f"{match[2].lower()}{match[3]}"
    return NameFields(
        key=f"{speaker}_{sentence}", corpus_label=emotion, speaker=speaker, gender="male", sentence=sentence
    )


SAVEE = Corpus(
    name="savee",
    title="SAVEE",
    language="English",
    page="http://kahlan.eps.surrey.ac.uk/savee/",
    licence="free for research, after registration",
    model_terms="research only, on registration (SAVEE)",
    commercial=False,
    instructions="register at http://kahlan.eps.surrey.ac.uk/savee/Register.html",
    official=OfficialCounts(
        utterances=480,
        speakers=_SPEAKERS,
        labels={"n": 120} | dict.fromkeys(("a", "d", "f", "h", "sa", "su"), 60),
        per_speaker=120,
    ),
    labels={
        "n": "neutral",
        "h": "happy",
        "sa": "sad",
        "a": "angry",
        "f": "fearful",
        "d": "disgust",
        "su": "surprised",
    },
    parse_name=parse_name,
)
