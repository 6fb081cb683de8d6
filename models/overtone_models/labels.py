"""Emotion labels and how the corpora's own labels map to them (data in one table)."""

from overtone_models.errors import LabelError

EMOTIONS = (
    "neutral",
    "calm",
    "happy",
    "sad",
    "angry",
    "fearful",
    "disgust",
    "surprised",
    "bored",
    "frustrated",
)
"""Every label this project uses, in the order of probability vectors (a model has a subset)."""

# corpus -> (the corpus' own label or code -> ours). Keys are lower case.
CORPUS_LABELS: dict[str, dict[str, str]] = {
    "ravdess": {
        "01": "neutral",
        "02": "calm",
        "03": "happy",
        "04": "sad",
        "05": "angry",
        "06": "fearful",
        "07": "disgust",
        "08": "surprised",
    },
    "tess": {
        "neutral": "neutral",
        "happy": "happy",
        "sad": "sad",
        "angry": "angry",
        "fear": "fearful",
        "disgust": "disgust",
        "ps": "surprised",
        "pleasant_surprise": "surprised",
        "pleasant_surprised": "surprised",
    },
    "savee": {
        "n": "neutral",
        "h": "happy",
        "sa": "sad",
        "a": "angry",
        "f": "fearful",
        "d": "disgust",
        "su": "surprised",
    },
    "crema-d": {
        "neu": "neutral",
        "hap": "happy",
        "sad": "sad",
        "ang": "angry",
        "fea": "fearful",
        "dis": "disgust",
    },
    "emodb": {
        "n": "neutral",
        "f": "happy",
        "t": "sad",
        "w": "angry",
        "a": "fearful",
        "e": "disgust",
        "l": "bored",
    },
    "nemo": {
        "neutral": "neutral",
        "happiness": "happy",
        "sadness": "sad",
        "anger": "angry",
        "fear": "fearful",
        "surprised": "surprised",
        "surprise": "surprised",
    },
    "iemocap": {
        "neu": "neutral",
        "hap": "happy",
        "exc": "happy",
        "sad": "sad",
        "ang": "angry",
        "fea": "fearful",
        "dis": "disgust",
        "sur": "surprised",
        "fru": "frustrated",
    },
}

# Everyday spellings, for folders, manifests and what a person types on the device.
SYNONYMS: dict[str, str] = {
    "neutrality": "neutral",
    "calmness": "calm",
    "happiness": "happy",
    "joy": "happy",
    "joyful": "happy",
    "excitement": "happy",
    "excited": "happy",
    "sadness": "sad",
    "anger": "angry",
    "fear": "fearful",
    "afraid": "fearful",
    "disgusted": "disgust",
    "surprise": "surprised",
    "pleasant surprise": "surprised",
    "pleasant_surprise": "surprised",
    "ps": "surprised",
    "boredom": "bored",
    "frustration": "frustrated",
}


def canonical_label(text: str) -> str:
    """Return this project's label for an everyday spelling; raise LabelError for anything else."""
    key = text.strip().lower()
    label = SYNONYMS.get(key, key)
    if label not in EMOTIONS:
        raise LabelError(f"unknown label {text!r}; known labels are {', '.join(EMOTIONS)}")
    return label


def corpus_label(corpus: str, own: str) -> str:
    """Return this project's label for a corpus' own code; raise LabelError when the table lacks it."""
    table = CORPUS_LABELS.get(corpus)
    if table is None:
        raise LabelError(f"no label table for corpus {corpus!r}; there are {', '.join(CORPUS_LABELS)}")
    label = table.get(own.strip().lower())
    if label is None:
        raise LabelError(f"corpus {corpus} has no label {own!r}; it has {', '.join(table)}")
    return label


def ordered(labels: set[str]) -> tuple[str, ...]:
    """Return labels in the project's order."""
    return tuple(label for label in EMOTIONS if label in labels)
