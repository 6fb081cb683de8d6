"""RAVDESS speech: 24 actors, 8 emotions, 2 statements; everything is in the file's name.

`03-01-06-01-02-01-12.wav`: modality, channel, emotion, intensity, statement, repetition, actor.
"""

import re
from pathlib import PurePosixPath

from overtone_cloud.corpora.corpus import Archive, Corpus, NameFields, OfficialCounts

_NAME = re.compile(r"(0[1-3])-(0[12])-(0[1-8])-(0[12])-(0[12])-(0[12])-(0[1-9]|1\d|2[0-4])")
_INTENSITIES = {"01": "normal", "02": "strong"}
_TEXTS = {"01": "Kids are talking by the door", "02": "Dogs are sitting by the door"}

EMOBOX_FOLDS = (
    ("01", "11", "20", "21"),
    ("04", "10", "12", "14"),
    ("08", "09", "19", "23"),
    ("03", "05", "07", "24"),
    ("02", "15", "16", "18"),
    ("06", "13", "17", "22"),
)
"""The actors of each test fold in EmoBox (Ma et al., 2024)."""


def parse_name(relative: PurePosixPath) -> NameFields | None:
    """Return the fields of the name of a spoken, audio-only clip, or None for any other name."""
    match = _NAME.fullmatch(relative.stem)
    if match is None or match[1] != "03" or match[2] != "01":
        return None
    _, _, emotion, intensity, statement, _, actor = match.groups()
    return NameFields(
        key=relative.stem,
        corpus_label=emotion,
        speaker=actor,
        gender="male" if int(actor) % 2 else "female",
        sentence=statement,
        intensity=_INTENSITIES[intensity],
        text=_TEXTS[statement],
    )


def other_kind(relative: PurePosixPath) -> str | None:
    """Return the kind of a RAVDESS file that is not speech alone."""
    match = _NAME.fullmatch(relative.stem)
    if match is None:
        return None
    if match[2] == "02":
        return "song"
    return None if match[1] == "03" else "sound of a video clip"


RAVDESS = Corpus(
    name="ravdess",
    title="RAVDESS speech",
    language="English",
    page="https://zenodo.org/records/1188976",
    licence="CC BY-NC-SA 4.0 (not for commercial use; share alike; cite Livingstone & Russo, 2018)",
    model_terms="CC BY-NC-SA 4.0 (RAVDESS): non-commercial, share alike",
    commercial=False,
    archive=Archive(
        url="https://zenodo.org/records/1188976/files/Audio_Speech_Actors_01-24.zip?download=1",
        file_name="Audio_Speech_Actors_01-24.zip",
        size_bytes=208_468_073,
        checksum="md5:bc696df654c87fed845eb13823edef8a",
    ),
    official=OfficialCounts(
        utterances=1440,
        speakers=tuple(f"{actor:02}" for actor in range(1, 25)),
        labels={"01": 96} | {f"{emotion:02}": 192 for emotion in range(2, 9)},
        per_speaker=60,
    ),
    labels={
        "01": "neutral",
        "02": "calm",
        "03": "happy",
        "04": "sad",
        "05": "angry",
        "06": "fearful",
        "07": "disgust",
        "08": "surprised",
    },
    parse_name=parse_name,
    other_kind=other_kind,
    uar_target_percent=70.0,
)
