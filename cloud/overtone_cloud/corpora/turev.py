"""TurEV-DB (Turkish): six speakers, 82 single words, 4 emotions; `Sound Source/Angry/1157_kz_acik.wav`.

Speaker, emotion (kz angry, sk calm, mt happy, hl sad), word, in some copies the emotion once more. Calm is how the
corpus calls speech without emotion: it has no neutral beside it, so its calm is read as neutral.
"""

import re
from pathlib import PurePosixPath

from overtone_cloud.corpora.corpus import Corpus, NameFields, OfficialCounts

_EMOTIONS = {"kz": "angry", "sk": "calm", "mt": "happy", "hl": "sad"}
_NAME = re.compile(
    rf"(\d{{4}})_({'|'.join(_EMOTIONS)})_([a-z]+)(?:_(?:{'|'.join(_EMOTIONS.values())}))?", re.IGNORECASE
)


def parse_name(relative: PurePosixPath) -> NameFields | None:
    """Return the fields of a file's name, or None for names that TurEV-DB does not have."""
    match = _NAME.fullmatch(relative.stem)
    if match is None:
        return None
    speaker, emotion, word = match[1], match[2].lower(), match[3].lower()
    return NameFields(
        key=f"{speaker}_{emotion}_{word}", corpus_label=_EMOTIONS[emotion], speaker=speaker, sentence=word
    )


TUREV = Corpus(
    name="turev",
    title="TurEV-DB",
    language="Turkish",
    page="https://github.com/Xeonen/TurEV-DB",
    licence="CC BY-NC-ND 4.0 (not for commercial use; no derivatives; cite Canpolat et al., 2020)",
    model_terms="CC BY-NC-ND 4.0 (TurEV-DB): non-commercial, no derivatives of the recordings",
    commercial=False,
    instructions="git clone https://github.com/Xeonen/TurEV-DB; the recordings are in its folder Sound Source",
    official=OfficialCounts(
        utterances=1735,
        speakers=("1157", "1234", "1358", "1984", "6783", "7895"),
        labels={"angry": 487, "calm": 408, "happy": 357, "sad": 483},
    ),
    labels={"angry": "angry", "calm": "neutral", "happy": "happy", "sad": "sad"},
    parse_name=parse_name,
)
