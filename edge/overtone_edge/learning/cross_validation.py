"""Cross-validation of a personal head over whole labelled utterances of the owner."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from overtone_edge.core.errors import LearningError
from overtone_edge.install.quality import Indices, Quality, logits_of, quality_of
from overtone_edge.learning.personal import LabelledEmbeddings
from overtone_models.front_end import F32

FOLDS = 5
MARGIN_ERRORS = 1.0
"""Standard errors by which the loss must fall where every emotion is labelled."""

MIN_JUDGED = 4

Fit = Callable[[LabelledEmbeddings], F32]


@dataclass(frozen=True)
class CrossValidation:
    """Quality of the shared head (`before`) and of heads that did not learn from the tested utterances (`after`).

    Each utterance is tested once. The loss must fall by `margin` (nats).
    """

    utterance_count: int
    before: Quality
    after: Quality
    margin: float

    @property
    def confirms(self) -> bool:
        """Whether the loss falls by more than the margin; recall on few utterances is less reliable."""
        return self.before.loss - self.after.loss > self.margin


def folds_of(labels: Indices, folds: int = FOLDS) -> Indices:
    """Return the fold `(n,)` of each utterance: each label is spread over all, folds are alike in size.

    Neighbours, which often belong to one session, stay together where a label has more utterances than folds.
    """
    fold_of = np.empty(len(labels), np.int64)
    first = 0
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        parts = min(len(rows), folds)
        fold_of[rows] = (first + np.arange(len(rows)) * parts // len(rows)) % folds
        first += parts
    return fold_of


def cross_validate(shared: F32, utterances: LabelledEmbeddings, fit: Fit, *, temperature: float) -> CrossValidation:
    """Return the quality of heads that `fit` trains, on the utterances that they did not learn from.

    An utterance counts where its label was learned from another one; LearningError where that is too few.
    """
    if (repeated := int((np.bincount(utterances.labels)[utterances.labels] > 1).sum())) < MIN_JUDGED:
        raise LearningError(
            f"{repeated} of {len(utterances)} labelled utterances share their emotion with another, limit is at least "
            f"{MIN_JUDGED}: label more speech before personalising"
        )
    folds = folds_of(utterances.labels)
    logits = np.empty((len(utterances), shared.size // (utterances.embeddings.shape[1] + 1)), np.float32)
    counts = np.zeros(len(utterances), bool)
    for fold in np.unique(folds):
        out = folds == fold
        learned = utterances.take(~out)
        logits[out] = logits_of(fit(learned), utterances.embeddings[out])
        counts[out] = np.isin(utterances.labels[out], learned.labels)
    own, labels = logits[counts], utterances.labels[counts]
    base = logits_of(shared, utterances.embeddings[counts])
    before, lost_before = quality_of(base, labels, temperature)
    after, lost_after = quality_of(own, labels, temperature)
    fall = lost_before - lost_after
    error = float(fall.std(ddof=1) / np.sqrt(len(fall)))
    # Emotions without any utterance are not tested; the fall on the others must be the clearer.
    emotions_each = logits.shape[1] / len(np.unique(utterances.labels))
    return CrossValidation(len(labels), before, after, MARGIN_ERRORS * emotions_each**2 * error)
