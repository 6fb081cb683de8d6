"""CREMA-D: 91 actors, 12 sentences, 6 emotions; `1001_DFA_ANG_XX.wav`.

The fourth part is the intensity; `VideoDemographics.csv`, where it is there, gives the actors' sex.
"""

import re
from dataclasses import replace
from pathlib import Path, PurePosixPath

from overtone_cloud.corpora.corpus import Corpus, Enrichment, NameFields, OfficialCounts
from overtone_cloud.corpora.files import find_table, read_rows
from overtone_cloud.corpora.utterance import Utterance

_TEXTS = {
    "DFA": "Don't forget a jacket.",
    "IEO": "It's eleven o'clock.",
    "IOM": "I'm on my way to the meeting.",
    "ITH": "I think I have a doctor's appointment.",
    "ITS": "I think I've seen this before.",
    "IWL": "I would like a new alarm clock.",
    "IWW": "I wonder what this is about.",
    "MTI": "Maybe tomorrow it will be cold.",
    "TAI": "The airplane is almost full.",
    "TIE": "That is exactly what happened.",
    "TSI": "The surface is slick.",
    "WSI": "We'll stop in a couple of minutes.",
}
# One official file ends in a single X (1040_ITH_SAD_X.wav).
_NAME = re.compile(rf"(1\d{{3}})_({'|'.join(_TEXTS)})_(ANG|DIS|FEA|HAP|NEU|SAD)_(LO|MD|HI|XX|X)", re.IGNORECASE)
_INTENSITIES = {"LO": "low", "MD": "medium", "HI": "high"}
_TABLE = "VideoDemographics.csv"


def parse_name(relative: PurePosixPath) -> NameFields | None:
    """Return the fields of a file's name, or None for names that CREMA-D does not have."""
    match = _NAME.fullmatch(relative.stem)
    if match is None:
        return None
    actor, sentence, emotion, intensity = (part.upper() for part in match.groups())
    return NameFields(
        key=relative.stem.upper(),
        corpus_label=emotion,
        speaker=actor,
        sentence=sentence,
        intensity=_INTENSITIES.get(intensity),
        text=_TEXTS[sentence],
    )


def enrich(root: Path, utterances: tuple[Utterance, ...]) -> Enrichment:
    """Add the actors' sex from the demographics table, if it is there."""
    table = find_table(root, _TABLE)
    if table is None:
        return utterances, ()
    genders = {row.get("actorid", ""): row.get("sex", "").lower() or None for row in read_rows(table).rows}
    return tuple(replace(u, gender=genders.get(u.speaker or "")) for u in utterances), ()


CREMA_D = Corpus(
    name="crema-d",
    title="CREMA-D",
    language="English",
    page="https://github.com/CheyneyComputerScience/CREMA-D",
    licence="Open Database License 1.0 (cite Cao et al., 2014)",
    model_terms="ODbL 1.0 (CREMA-D)",
    commercial=True,
    instructions="its sound lies in Git LFS: `git lfs install && git clone "
    "https://github.com/CheyneyComputerScience/CREMA-D`, then read the folder CREMA-D/AudioWAV",
    official=OfficialCounts(
        utterances=7442,
        speakers=tuple(str(actor) for actor in range(1001, 1092)),
        labels={"ANG": 1271, "DIS": 1271, "FEA": 1271, "HAP": 1271, "NEU": 1087, "SAD": 1271},
    ),
    labels={
        "neu": "neutral",
        "hap": "happy",
        "sad": "sad",
        "ang": "angry",
        "fea": "fearful",
        "dis": "disgust",
    },
    parse_name=parse_name,
    enrich=enrich,
)
