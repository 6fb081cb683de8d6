"""The public `Recogniser`: blocks of samples in, emotion events out, for programs of one's own."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from overtone_common.audio import SAMPLE_RATE_HZ, Resampler, mono
from overtone_edge.core.config import DecisionConfig, GateConfig
from overtone_edge.core.errors import SourceError
from overtone_edge.core.files import read_limited
from overtone_edge.hearing.audio import check_finite
from overtone_edge.hearing.events import Emotion
from overtone_edge.hearing.example_forms import example_form_for
from overtone_edge.hearing.hearing import Hearing
from overtone_edge.hearing.recent_speech import RecentSpeech
from overtone_edge.hearing.streaming import open_recogniser
from overtone_models.bundle import MAX_BYTES, Bundle, read_bundle
from overtone_models.front_end import F32
from overtone_models.pretrained import DEFAULT, file_or_pretrained, find_pretrained

_RECENT_S = 1.0
"""Shorter than in the agent: recent speech is not labelled here."""


class Recogniser:
    """Recognises emotion in one stream of speech; the events are the same for any block size.

    `model` is the name of a pretrained model, the path of a bundle, or a bundle's bytes. No signature is checked: the
    caller vouches for the bundle. `decision` and `gate` are the settings of the agent's sections [decision] and [gate].

    >>> import numpy as np
    >>> from overtone_edge import Recogniser
    >>> recogniser = Recogniser("small")
    >>> speech = recogniser.bundle.golden_samples           # or any block from a microphone or a file
    >>> silence = np.zeros(16_000, np.int16)
    >>> events = []
    >>> for block in (silence, speech, silence):
    ...     events += recogniser.process(block)
    >>> events += recogniser.flush()
    >>> events[-1].final, events[-1].label
    (True, 'neutral')
    """

    def __init__(
        self,
        model: str | Path | bytes = DEFAULT,
        *,
        device: str = "recogniser",
        decision: DecisionConfig | None = None,
        gate: GateConfig | None = None,
    ) -> None:
        self.bundle = _read(model)
        self._recogniser = open_recogniser(self.bundle)
        self._device = device
        self._decision = decision or DecisionConfig()
        self._gate = gate
        self.reset()

    @property
    def labels(self) -> tuple[str, ...]:
        """The emotions that the model knows."""
        return self.bundle.manifest.labels

    def reset(self) -> None:
        """Begin a new stream at time 0; an unfinished utterance is dropped."""
        self._recogniser.begin()
        self._rate_hz, self._resampler, self._samples = SAMPLE_RATE_HZ, Resampler(SAMPLE_RATE_HZ), 0
        self._hearing = Hearing(
            self._recogniser,
            device=self._device,
            config=self._decision,
            gate=self._gate,
            recent=RecentSpeech(example_form_for(self.bundle.manifest), max_s=_RECENT_S),
        )

    def process(self, block: NDArray[Any], rate_hz: int = SAMPLE_RATE_HZ) -> list[Emotion]:
        """Return the events of the next block: float32 in -1..1 or int16, `(samples,)` or `(samples, channels)`.

        Channels are averaged and other rates than 16 kHz resampled. Raises SourceError for other types of samples and
        for values that are not finite.
        """
        samples = _float_mono(block)
        check_finite(samples, "the stream", self._samples)
        self._samples += samples.size
        events: list[Emotion] = []
        if rate_hz != self._rate_hz:
            events += self._hearing.process(self._rest())
            self._rate_hz, self._resampler = rate_hz, Resampler(rate_hz)
        return events + self._hearing.process(self._resampler.process(samples))

    def flush(self) -> list[Emotion]:
        """Return the events that the end of the stream gives rise to, and begin a new stream."""
        events = self._hearing.process(self._rest()) + self._hearing.finish()
        self.reset()
        return events

    def _rest(self) -> F32:
        return self._resampler.process(np.zeros(0, np.float32), last=True)


def _read(model: str | Path | bytes) -> Bundle:
    if isinstance(model, bytes):
        return read_bundle(model)
    path = file_or_pretrained(Path(model))
    if isinstance(model, str) and not path.exists() and Path(model).name == model:
        path = find_pretrained(model).bundle  # raises with the names that there are
    return read_bundle(read_limited(path, MAX_BYTES))


def _float_mono(block: NDArray[Any]) -> F32:
    if block.dtype == np.int16:
        return mono(block.astype(np.float32) / np.float32(32768.0))
    if block.dtype != np.float32:
        raise SourceError(f"samples are {block.dtype}, they must be float32 or int16")
    return mono(block)
