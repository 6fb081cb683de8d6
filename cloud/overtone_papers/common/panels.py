"""Panels of waveforms, spectrograms and chromagrams: one utterance per emotion, side by side."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from overtone_cloud.corpora import audio
from overtone_cloud.corpora.plots import empty_figure
from overtone_cloud.corpora.utterance import Utterance
from overtone_common.audio import SAMPLE_RATE_HZ
from overtone_models.features.spectra import HOP_SAMPLES, chroma, decibels, magnitudes, mel_power
from overtone_models.front_end import F32
from overtone_models.labels import EMOTIONS

N_MELS = 128
PITCHES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
"""Rows of the pitch classes that are named."""


def _waveform(place: Any, utterance: Utterance, samples: F32) -> Any:
    place.plot(np.arange(samples.size) / SAMPLE_RATE_HZ, samples, lw=0.4, color=EMOTIONS[str(utterance.label)].colour)


def _spectrogram(place: Any, _utterance: Utterance, samples: F32) -> Any:
    return _image(place, decibels(np.square(magnitudes(samples))), samples, top=SAMPLE_RATE_HZ / 2000, lowest=-80.0)


def _mel_spectrogram(place: Any, _utterance: Utterance, samples: F32) -> Any:
    power = mel_power(np.square(magnitudes(samples)), sample_rate_hz=SAMPLE_RATE_HZ, n_mels=N_MELS)
    return _image(place, decibels(power), samples, top=N_MELS, lowest=-80.0)


def _chromagram(place: Any, _utterance: Utterance, samples: F32) -> Any:
    image = _image(place, chroma(np.square(magnitudes(samples)), SAMPLE_RATE_HZ), samples, top=12, lowest=None)
    place.set_yticks([row + 0.5 for row in PITCHES.values()], list(PITCHES))
    return image


def _image(place: Any, values: F32, samples: F32, *, top: float, lowest: float | None) -> Any:
    """Draw `(frames, bands)`: decibels relative to the largest, other values from 0 to 1."""
    seconds = max(samples.size, HOP_SAMPLES) / SAMPLE_RATE_HZ
    image = values - values.max() if lowest is not None else values
    scale = (lowest, 0.0) if lowest is not None else (0.0, 1.0)
    return place.imshow(
        image.T, origin="lower", aspect="auto", extent=(0, seconds, 0, top), cmap="magma", vmin=scale[0], vmax=scale[1]
    )


@dataclass(frozen=True)
class Panels:
    """One kind of picture; `bar` explains its colours where they stand for a figure."""

    caption: str
    y_label: str
    draw: Callable[[Any, Utterance, F32], Any]
    bar: str = ""

    def figure(self, utterances: Sequence[Utterance], title: str) -> Figure:
        """Return a panel for each utterance; all panels have the same two axes."""
        columns = min(4, len(utterances))
        rows = -(-len(utterances) // columns)
        canvas = empty_figure(2.9 * columns, 2.1 * rows + 0.4)
        places = np.ravel(np.asarray(canvas.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)))
        sounds = [audio.load(utterance.path) for utterance in utterances]
        image: Any = None
        for place, utterance, samples in zip(places, utterances, sounds, strict=False):
            image = self.draw(place, utterance, samples)
            who = f", {utterance.speaker}" if utterance.speaker else ""
            place.set_title(f"{utterance.label}{who}", fontsize=9)
        for place in places[len(utterances) :]:
            place.set_axis_off()
        for place in places[len(utterances) - columns : len(utterances)]:
            place.tick_params(labelbottom=True)  # also where the row below is not full
        places[0].set_xlim(0.0, max(HOP_SAMPLES, *(samples.size for samples in sounds)) / SAMPLE_RATE_HZ)
        if self.bar:
            canvas.colorbar(image, ax=list(places), label=self.bar, pad=0.02)
        canvas.supxlabel("time (s)", fontsize=9)
        canvas.supylabel(self.y_label, fontsize=9)
        canvas.suptitle(title, fontsize=10)
        return canvas


PANELS: Mapping[str, Panels] = {
    "waveforms": Panels("Waveforms", "amplitude", _waveform),
    "spectrograms": Panels("Spectrograms", "frequency (kHz)", _spectrogram, "dB re the loudest"),
    "mel-spectrograms": Panels("Log-mel spectrograms", "mel band", _mel_spectrogram, "dB re the loudest"),
    "chromagrams": Panels("Chromagrams", "pitch class", _chromagram, "share of the strongest"),
}
