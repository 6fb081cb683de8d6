"""What paper C leaves open, and what its "about 50 % validation" turns out to measure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from overtone_cloud.corpora.utterance import Reading
from overtone_papers.common.report import Claim, Verdict, claim, judged
from overtone_papers.tess.tables import accuracy, late, training_accuracy

ENOUGH_EPOCHS = 30
"""Below that the paper's curve is still rising, and a quick run says nothing of its level."""
CHOICES = """
dense layers | 128 and 64, relu; dropout 0.2 | the paper says only 'dense layers'
learning rate | 0.001 | Adam's default in Keras; none is given
scaling of the features | {scale} | the paper names none; --option scale=standard
which fifth is held back | all three: random, tail, speaker
  | a validation split of 20 % is all it says, and the figure hangs on which
which epoch counts | the last of {epochs} | early stopping is mentioned, but the log shows every epoch
window of the features | 3 s from 0.5 s on, at 22,050 Hz
  | 'standardised duration and rate': the values of the common TESS notebooks
"""
"""What the paper leaves open."""


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What the claims, which are about TESS, are judged by: its reading, voices by emotion, trainings by split."""

    reading: Reading | None
    voices: Mapping[str, Mapping[str, float]] | None
    trainings: Mapping[str, Sequence[Mapping[str, Any]]]


def claims(evidence: Evidence) -> tuple[Claim, ...]:
    """Return the paper's claims as they stand here."""
    return judged((_balance, _loudness, _training, _half, _too_complex), evidence)


@claim("The emotions are about equally frequent", "a count plot")
def _balance(evidence: Evidence) -> Verdict | None:
    if evidence.reading is None:
        return None
    labels = [u.label for u in evidence.reading.labelled]
    counts = [labels.count(label) for label in set(labels)]
    spread = "" if min(counts) == max(counts) else f"{min(counts)} to "
    return f"{spread}{max(counts)} utterances per emotion", max(counts) <= 1.2 * min(counts)


@claim(
    "Angry speech is loud with energy over a broad range, sad and neutral speech soft and low",
    "waveforms and spectrograms of single clips",
)
def _loudness(evidence: Evidence) -> Verdict | None:
    """Judge by the numbers behind the pictures: level, and energy above 2 kHz."""
    voices = evidence.voices
    if voices is None:
        return None
    if not {"angry", "sad", "neutral"} <= set(voices):
        return "not there", None
    angry, sad, neutral = voices["angry"], voices["sad"], voices["neutral"]
    louder = angry["level_dbfs"] > max(sad["level_dbfs"], neutral["level_dbfs"]) + 3.0
    broader = angry["high_share"] > 1.5 * max(sad["high_share"], neutral["high_share"])
    words = (
        f"{name} {voice['level_dbfs']:.1f} dBFS with {100 * voice['high_share']:.0f} % above 2 kHz"
        for name, voice in (("angry", angry), ("sad", sad), ("neutral", neutral))
    )
    return ", ".join(words), louder and broader


@claim("The network learns its training data", "training accuracy above 90 %")
def _training(evidence: Evidence) -> Verdict | None:
    reached = {kind: training_accuracy(group) for kind, group in evidence.trainings.items()}
    words = ", ".join(f"{kind} {100 * value:.1f} %" for kind, value in reached.items())
    return (words, min(reached.values()) > 0.9) if reached else None


@claim(
    "Validation accuracy stays near one half and fluctuates",
    "about 50 %; its log shows 54 and 45 % with losses of 3.3 and 3.5",
)
def _half(evidence: Evidence) -> Verdict | None:
    tail = evidence.trainings.get("tail")
    if not tail:
        return None
    last, mean = late(tail), float(np.mean(late(tail)))
    losses = [r["history"]["val_loss"] for r in tail]
    others = [kind for kind in ("random", "speaker") if kind in evidence.trainings]
    shares = ", ".join(f"{kind} {100 * accuracy(evidence.trainings[kind]):.1f} %" for kind in others)
    words = (
        f"in the tail split, {100 * mean:.1f} % on average over the last epochs ({100 * min(last):.1f} to "
        f"{100 * max(last):.1f}), the loss at the end {np.mean([curve[-1] for curve in losses]):.1f}"
        f"{'; in the others: ' if others else ''}{shares}"
    )
    return words, 0.35 <= mean <= 0.65 if min(map(len, losses)) >= ENOUGH_EPOCHS else None


@claim(
    "The gap between training and validation comes from a network too complex for its data",
    "overfitting; more regularisation is proposed",
)
def _too_complex(evidence: Evidence) -> Verdict | None:
    if not {"random", "tail"} <= set(evidence.trainings):
        return None
    random, tail = (accuracy(evidence.trainings[kind]) for kind in ("random", "tail"))
    known = 100 * evidence.trainings["tail"][0]["heard_before"]
    words = (
        f"the same network reaches {100 * random:.1f} % in a random split and {100 * tail:.1f} % in the tail, "
        f"where training knows speaker and emotion together of {known:.0f} % of the utterances: the gap is the split's"
    )
    return words, random - tail < 0.1
