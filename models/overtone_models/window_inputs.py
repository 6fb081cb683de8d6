"""Computes a window network's inputs from the last seconds of speech, with numpy alone."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from overtone_common.audio import SAMPLE_RATE_HZ
from overtone_models.errors import FrontEndError
from overtone_models.features.registry import spec_from_json
from overtone_models.front_end import F32
from overtone_models.window_spec import Shape, WindowSpec

DEFAULT_WINDOW_S = 3.0
_EDGE_PERIODS = 4


class WindowInputs:
    """`compute(samples)` gives the raw inputs of a window network; raises FrontEndError for features unknown here."""

    def __init__(self, spec: WindowSpec) -> None:
        if spec.missing:
            raise FrontEndError(spec.missing)
        self.spec = spec
        self._features = [spec_from_json(dict(feature)) for feature in spec.features]

    @property
    def samples(self) -> int:
        """Length of the window in samples at 16 kHz."""
        return round(self.spec.window_s * SAMPLE_RATE_HZ)

    def compute(self, samples: F32) -> list[F32]:
        """Return one raw input per feature, of exactly the network's shapes, of the last window of `samples` (16 kHz).

        Raises FrontEndError where a feature needs more sound than there is.
        """
        window = samples[-self.samples :]
        inputs = []
        paddings = self.spec.padding or ((),) * len(self._features)
        for feature, shape, padding in zip(self._features, self.spec.input_shapes, paddings, strict=True):
            sound = resample(window, SAMPLE_RATE_HZ, feature.sample_rate_hz)
            inputs.append(fit_shape(feature.compute(sound), shape, feature.name, padding))
        return inputs


def fit_shape(values: F32, shape: Shape, name: str, padding: Sequence[float] = ()) -> F32:
    """Return a feature in its input's shape: an axis of 1 added, the first axis cut or followed by `padding` (zeros).

    Raises FrontEndError where the two differ in anything else.
    """
    plain = tuple(n for n in shape if n != 1)
    squeezed = tuple(n for n in values.shape if n != 1)
    if squeezed != plain:
        if values.ndim != len(plain) or values.shape[1:] != plain[1:]:
            raise FrontEndError(f"feature {name} has shape {values.shape}, the network takes {shape}")
        values = values[: plain[0]]
        rest = np.zeros((plain[0] - len(values), *plain[1:]), np.float32)
        values = np.concatenate([values, rest + np.array(padding, np.float32) if padding else rest])
    if not np.isfinite(values).all():
        raise FrontEndError(f"feature {name} gave a value that is not finite")
    return np.asarray(values, np.float32).reshape(shape)


def resample(samples: F32, from_hz: int, to_hz: int) -> F32:
    """Return `samples` at another rate, band-limited through the spectrum; the ends are mirrored against ringing.

    The result has no content above half the lower rate.
    """
    if from_hz == to_hz or not samples.size:
        return samples
    period, out_period = from_hz // math.gcd(from_hz, to_hz), to_hz // math.gcd(from_hz, to_hz)
    edge = min(_EDGE_PERIODS * period, (samples.size - 1) // period * period)
    fill = -samples.size % period
    padded = np.pad(np.pad(samples, (edge, edge), "reflect"), (0, fill)).astype(np.float64)
    count = padded.size // period * out_period
    spectrum = np.fft.rfft(padded)
    bins = min(padded.size, count) // 2 + 1
    result = np.fft.irfft(spectrum[:bins], count) * (count / padded.size)
    first = edge // period * out_period
    whole: F32 = result[first : first + round(samples.size * to_hz / from_hz)].astype(np.float32)
    return whole


def window_seconds(feature: dict[str, Any]) -> float:
    """Return how many seconds of sound a feature's specification looks at; 3 s where it does not say."""
    spec: Any = spec_from_json(feature)
    if hasattr(spec, "seconds"):
        return float(spec.seconds + getattr(spec, "offset_s", 0.0))
    if hasattr(spec, "step_samples"):
        samples = (spec.windows - 1) * spec.step_samples + spec.window_samples
        return float(samples / spec.sample_rate_hz)
    return DEFAULT_WINDOW_S
