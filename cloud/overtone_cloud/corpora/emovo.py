"""EMOVO: six Italian actors, 14 sentences, 7 emotions; `f1/dis-f1-b1.wav`: emotion, speaker, sentence."""

import re
from pathlib import PurePosixPath

from overtone_cloud.corpora.corpus import Corpus, NameFields, OfficialCounts

_EMOTIONS = {
    "neu": "neutral",
    "gio": "happy",
    "tri": "sad",
    "rab": "angry",
    "pau": "fearful",
    "dis": "disgust",
    "sor": "surprised",
}
_NAME = re.compile(rf"({'|'.join(_EMOTIONS)})-([fm][1-3])-([bdln]\d)", re.IGNORECASE)


def parse_name(relative: PurePosixPath) -> NameFields | None:
    """Return the fields of a file's name, or None for names that EMOVO does not have."""
    match = _NAME.fullmatch(relative.stem)
    if match is None:
        return None
    emotion, speaker, sentence = (part.lower() for part in match.groups())
    return NameFields(
        key=relative.stem.lower(),
        corpus_label=emotion,
        speaker=speaker,
        gender="female" if speaker[0] == "f" else "male",
        sentence=sentence,
    )


EMOVO = Corpus(
    name="emovo",
    title="EMOVO",
    language="Italian",
    page="http://voice.fub.it/activities/corpora/emovo/index.html",
    licence="free for research (cite Costantini et al., LREC 2014)",
    model_terms="free for research with citation (EMOVO)",
    commercial=False,
    instructions="download emovo.zip from its page",
    official=OfficialCounts(
        utterances=588,
        speakers=("f1", "f2", "f3", "m1", "m2", "m3"),
        labels=dict.fromkeys(_EMOTIONS, 84),
        per_speaker=98,
    ),
    labels=_EMOTIONS,
    parse_name=parse_name,
)
