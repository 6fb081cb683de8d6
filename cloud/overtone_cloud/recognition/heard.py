"""Measure: the float network on whole utterances, as they are or under a condition."""

import numpy as np

from overtone_cloud.conditions.conditions import Condition
from overtone_cloud.recognition.predictions import Predictions
from overtone_cloud.recognition.subject import Subject
from overtone_models.front_end import F32


def predict_heard(subject: Subject, condition: Condition | None = None) -> Predictions:
    """Return the float network's predictions of the test part under a condition (None: as recorded).

    An utterance in which the gate hears nothing keeps a row of zeros, so it counts as wrong.
    """
    return subject.predictions(answered(subject, subject.heard(condition)))


def answered(subject: Subject, heard: list[F32 | None]) -> F32:
    """Return `(n, K)` probabilities of `(frames, n_mfcc)`; rows of zeros for None."""
    from overtone_models.networks import edge_tcn

    model = subject.model
    result = np.zeros((len(heard), len(model.labels)), np.float32)
    rows = [row for row, mfcc in enumerate(heard) if mfcc is not None]
    utterances = [model.standardise(mfcc) for mfcc in heard if mfcc is not None]
    if rows:
        logits = edge_tcn.logits(model.network, model.weights, utterances)
        result[rows] = model.calibration.probabilities(logits)
    return result
