"""URDU-Dataset (Latif et al., 2018): 38 speakers of Urdu talk shows, 4 emotions; `Angry/SM1_F1_A01.wav`.

`SM1` or `SF1`: speaker, a man or a woman; `F1`: the speaker's file with this emotion; `A01`: emotion (A angry, H happy,
N neutral, S sad) and the number within it. A speaker may have several emotions, and several folders.
"""

import re
from pathlib import PurePosixPath

from overtone_cloud.corpora.corpus import Corpus, NameFields, OfficialCounts

_NAME = re.compile(r"(S([MF])\d{1,2})_F(\d{1,3})_([AHNS])\d{2,4}", re.IGNORECASE)
_MEN, _WOMEN = 27, 11


def parse_name(relative: PurePosixPath) -> NameFields | None:
    """Return the fields of a file's name, or None for names that the URDU-Dataset does not have."""
    match = _NAME.fullmatch(relative.stem)
    if match is None:
        return None
    speaker, gender, emotion = match[1].upper(), match[2].upper(), match[4].upper()
    return NameFields(
        key=relative.stem.upper(),
        corpus_label=emotion,
        speaker=speaker,
        gender="male" if gender == "M" else "female",
    )


URDU = Corpus(
    name="urdu",
    title="URDU-Dataset",
    language="Urdu",
    page="https://github.com/siddiquelatif/URDU-Dataset",
    licence="for research purposes only; taken from talk shows on YouTube (cite Latif et al., 2018)",
    model_terms="research purposes only (URDU-Dataset)",
    commercial=False,
    instructions="git clone https://github.com/siddiquelatif/URDU-Dataset",
    official=OfficialCounts(
        utterances=400,
        speakers=(*(f"SM{n}" for n in range(1, _MEN + 1)), *(f"SF{n}" for n in range(1, _WOMEN + 1))),
        labels=dict.fromkeys("AHNS", 100),
    ),
    labels={"a": "angry", "h": "happy", "n": "neutral", "s": "sad"},
    parse_name=parse_name,
)
