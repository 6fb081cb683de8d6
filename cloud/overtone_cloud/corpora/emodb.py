"""Berlin EmoDB: ten German speakers, ten sentences, 7 emotions.

`03a01Fa.wav`: speaker, sentence, emotion (W anger, L boredom, E disgust, A fear, F happiness,
T sadness, N neutral), version.
"""

import re
from pathlib import PurePosixPath

from overtone_cloud.corpora.corpus import Archive, Corpus, NameFields, OfficialCounts

_NAME = re.compile(r"(\d{2})([ab]\d{2})([WLEAFTN])([a-z])", re.IGNORECASE)
_GENDERS = {"03": "m", "08": "f", "09": "f", "10": "m", "11": "m", "12": "m", "13": "f", "14": "f"} | {
    "15": "m",
    "16": "f",
}
_TEXTS = {
    "a01": "Der Lappen liegt auf dem Eisschrank.",
    "a02": "Das will sie am Mittwoch abgeben.",
    "a04": "Heute abend könnte ich es ihm sagen.",
    "a05": "Das schwarze Stück Papier befindet sich da oben neben dem Holzstück.",
    "a07": "In sieben Stunden wird es soweit sein.",
    "b01": "Was sind denn das für Tüten, die da unter dem Tisch stehen?",
    "b02": "Sie haben es gerade hochgetragen und jetzt gehen sie wieder runter.",
    "b03": "An den Wochenenden bin ich jetzt immer nach Hause gefahren und habe Agnes besucht.",
    "b09": "Ich will das eben wegbringen und dann mit Karl was trinken gehen.",
    "b10": "Die wird auf dem Platz sein, wo wir sie immer hinlegen.",
}


def parse_name(relative: PurePosixPath) -> NameFields | None:
    """Return the fields of a file's name, or None for names that EmoDB does not have."""
    match = _NAME.fullmatch(relative.stem)
    if match is None or match[1] not in _GENDERS:
        return None
    speaker, sentence, emotion = match[1], match[2].lower(), match[3].upper()
    return NameFields(
        key=relative.stem.lower(),
        corpus_label=emotion,
        speaker=speaker,
        gender="male" if _GENDERS[speaker] == "m" else "female",
        sentence=sentence,
        text=_TEXTS.get(sentence),
    )


EMODB = Corpus(
    name="emodb",
    title="Berlin EmoDB",
    language="German",
    page="http://emodb.bilderbar.info/",
    licence="free for research with citation (Burkhardt et al., Interspeech 2005)",
    model_terms="free for research with citation (EmoDB)",
    commercial=False,
    archive=Archive(url="http://emodb.bilderbar.info/download/download.zip", file_name="emodb.zip"),
    official=OfficialCounts(
        utterances=535,
        speakers=tuple(_GENDERS),
        labels={"W": 127, "L": 81, "E": 46, "A": 69, "F": 71, "T": 62, "N": 79},
    ),
    labels={
        "n": "neutral",
        "f": "happy",
        "t": "sad",
        "w": "angry",
        "a": "fearful",
        "e": "disgust",
        "l": "bored",
    },
    parse_name=parse_name,
    uar_target_percent=85.0,
)
