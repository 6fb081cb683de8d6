"""Measures of int8 streaming on the device's runtime: against float, and listening against whole utterances."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from overtone_cloud.corpora import audio
from overtone_cloud.recognition.predictions import Predictions
from overtone_cloud.recognition.subject import Subject


def predict_int8(subject: Subject) -> Predictions:
    """Return the int8 streaming network's predictions of the test part, each utterance hop by hop."""
    from overtone_converters.verify import streaming_probabilities

    utterances = [subject.test.mfcc(i) for i in range(len(subject.test))]
    return subject.predictions(streaming_probabilities(subject.bundle, utterances))


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """Utterances listened to, and how often the decision at the end is that over the whole utterance.

    "No decision" is a decision here like any label; `cut` are utterances that the gate took for several.
    """

    utterances: int
    same: int
    cut: int
    right_of_streamed: int
    right_of_whole: int

    def to_json(self) -> dict[str, Any]:
        """Return the counts."""
        return asdict(self)


def listen_to_test(subject: Subject) -> Agreement:
    """Return how often a device that listens to the test recordings ends as the network does on each as a whole."""
    from overtone_converters.device import Device

    device = Device(subject.bundle)
    test = subject.test
    streamed, whole, cut = [], [], 0
    for row, utterance in enumerate(test.utterances):
        listened = device.listen(audio.load(utterance.path, sample_rate_hz=test.front_end.sample_rate_hz))
        streamed.append(listened.decision)
        whole.append(device.whole(test.mfcc(row))[0])
        cut += len(listened.utterances) > 1
    truth = [str(u.label) for u in test.utterances]
    return Agreement(
        utterances=len(truth),
        same=_equal(streamed, whole),
        cut=cut,
        right_of_streamed=_equal(streamed, truth),
        right_of_whole=_equal(whole, truth),
    )


def _equal(first: list[Any], second: list[Any]) -> int:
    return int(np.sum([a == b for a, b in zip(first, second, strict=True)]))
