"""Who was recognised and who was not: results by gender, and what was taken for what."""

from collections.abc import Mapping

from overtone_cloud.corpora.utterance import Reading
from overtone_cloud.recognition.predictions import Predictions
from overtone_models.metrics import confusion_matrix

UNTOLD = "not told"


def genders_of(reading: Reading) -> dict[str, str]:
    """Return each speaker's gender as the corpus tells it."""
    return {str(u.speaker): u.gender or UNTOLD for u in reading.labelled if u.speaker is not None}


def gender_uar(predictions: Predictions, genders: Mapping[str, str]) -> dict[str, float]:
    """Return the UAR, 0..1, over all speakers of each gender."""
    kinds = sorted({genders[speaker] for speaker in predictions.speakers})
    return {kind: round(predictions.where(lambda s, k=kind: genders[s] == k).uar, 4) for kind in kinds}  # type: ignore[misc]


def confusion(predictions: Predictions) -> list[list[int]]:
    """Return how many utterances of each label (rows) were taken for each; the last column is "nothing heard"."""
    classes = len(predictions.labels)
    counts = confusion_matrix(predictions.predicted, predictions.targets, classes + 1)
    return [[int(count) for count in row] for row in counts[:classes]]
