"""Speakers drawn from a seed, and the speaking style of each emotion.

The directions of the emotions follow Scherer (2003, "Vocal communication of emotion", table 2): anger
and fear raise pitch and rate, sadness lowers pitch, range, rate and energy. A speaker shows each of
them to a personal degree and with personal habits, so that unseen speakers stay difficult.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields

import numpy as np

from overtone_cloud.errors import SynthesisError


@dataclass(frozen=True, kw_only=True)
class Style:
    """A speaking style, as differences from the speaker's neutral speech."""

    pitch_st: float = 0.0
    """Level of the pitch, semitones."""
    range_oct: float = 0.0
    """Width of the pitch movements, doublings."""
    rate_oct: float = 0.0
    """Syllables per second, doublings."""
    energy_db: float = 0.0
    tilt_db: float = 0.0
    """Loss of the source at 3 kHz; negative is brighter."""
    breath_db: float = 0.0
    """Aspiration noise."""
    roughness: float = 0.0
    """Jitter and shimmer, added to the speaker's; 1 is a hoarse voice."""
    tremor_st: float = 0.0
    """Trembling of the pitch at 6 Hz, semitones."""
    final_st: float = 0.0
    """Where the pitch goes at the end of a phrase; negative falls."""
    formant_oct: float = 0.0
    """Shift of the formants by spread (positive) or rounded lips."""
    pauses: float = 0.0
    """Added chance of a pause between two syllables."""


EMOTION_STYLES: dict[str, Style] = {
    "neutral": Style(),
    "calm": Style(
        pitch_st=-1.2,
        range_oct=-0.5,
        rate_oct=-0.22,
        energy_db=-3.0,
        tilt_db=3.0,
        breath_db=4.0,
        final_st=-1.0,
        pauses=0.05,
    ),
    "happy": Style(
        pitch_st=3.6,
        range_oct=0.7,
        rate_oct=0.12,
        energy_db=3.0,
        tilt_db=-2.5,
        final_st=2.0,
        formant_oct=0.07,
    ),
    "sad": Style(
        pitch_st=-0.8,
        range_oct=-0.9,
        rate_oct=-0.4,
        energy_db=-6.0,
        tilt_db=6.0,
        breath_db=5.0,
        roughness=0.1,
        final_st=-2.0,
        formant_oct=-0.04,
        pauses=0.1,
    ),
    "angry": Style(
        pitch_st=3.2,
        range_oct=0.4,
        rate_oct=0.18,
        energy_db=7.0,
        tilt_db=-6.0,
        breath_db=-4.0,
        roughness=0.35,
        final_st=-3.0,
    ),
    "fearful": Style(
        pitch_st=5.5,
        range_oct=-0.4,
        rate_oct=0.35,
        energy_db=-1.0,
        tilt_db=0.5,
        breath_db=6.0,
        roughness=0.25,
        tremor_st=0.5,
        final_st=1.0,
        pauses=0.06,
    ),
    "disgust": Style(
        pitch_st=-1.5,
        range_oct=-0.1,
        rate_oct=-0.3,
        energy_db=1.0,
        tilt_db=-1.0,
        roughness=0.5,
        final_st=-3.0,
        formant_oct=-0.08,
        pauses=0.04,
    ),
    "surprised": Style(
        pitch_st=5.0,
        range_oct=1.0,
        rate_oct=-0.05,
        energy_db=2.0,
        tilt_db=-1.0,
        breath_db=2.0,
        final_st=6.0,
        formant_oct=-0.02,
    ),
}
"""The typical style of each emotion that the synthetic voice can speak; `Voice.style` makes it personal.

The order seeds the random generators: a new style goes to the end.
"""


def check_styles(emotions: Iterable[str]) -> None:
    """Raise SynthesisError where the synthetic voice has no style for one of `emotions`."""
    without = [emotion for emotion in emotions if emotion not in EMOTION_STYLES]
    if without:
        raise SynthesisError(
            f"the synthetic voice cannot speak {', '.join(map(repr, without))}: it has styles for "
            f"{', '.join(EMOTION_STYLES)}"
        )


_SPREAD = Style(
    pitch_st=0.9,
    range_oct=0.22,
    rate_oct=0.1,
    energy_db=1.8,
    tilt_db=1.6,
    breath_db=2.0,
    roughness=0.08,
    tremor_st=0.1,
    final_st=1.2,
    formant_oct=0.02,
    pauses=0.03,
)
"""Scale of the variation between speakers and between utterances."""
HABIT_SHARE, UTTERANCE_SHARE = 0.75, 0.5
"""Standard deviations as shares of `_SPREAD`: of a speaker's habit, of one utterance around it."""

Vector = np.ndarray[tuple[int], np.dtype[np.float64]]


def _vector(style: Style) -> Vector:
    return np.array([getattr(style, field.name) for field in fields(Style)], np.float64)


@dataclass(frozen=True, kw_only=True)
class Voice:
    """One speaker; equal seeds give equal speakers."""

    seed: int
    pitch_hz: float
    tract: float
    """Factor on every formant; 1 is a long (male) vocal tract."""
    syllables_per_s: float
    range_st: float
    tilt_db: float
    breath_db: float
    """Aspiration noise against the voice."""
    roughness: float
    level_db: float
    """RMS of neutral speech against full scale."""
    noise_db: float
    """RMS of the room against full scale."""
    microphone_db: float
    """What the recording adds at 8 kHz."""

    @classmethod
    def of(cls, seed: int) -> "Voice":
        """Return the speaker that `seed` (0 or more) names; even seeds are low, odd seeds high voices."""
        if seed < 0:
            raise SynthesisError(f"speaker seed is {seed}, it must be 0 or more")
        rng = np.random.default_rng([seed, 0])
        high = seed % 2 == 1
        return cls(
            seed=seed,
            pitch_hz=float((205.0 if high else 115.0) * 2 ** rng.normal(0.0, 0.16)),
            tract=float((1.17 if high else 1.0) * 2 ** rng.normal(0.0, 0.055)),
            syllables_per_s=float(rng.uniform(3.6, 5.2)),
            range_st=float(rng.uniform(2.2, 4.2)),
            tilt_db=float(rng.uniform(4.0, 11.0)),
            breath_db=float(rng.uniform(-36.0, -25.0)),
            roughness=float(rng.uniform(0.05, 0.3)),
            level_db=float(rng.uniform(-30.0, -23.0)),
            noise_db=float(rng.uniform(-72.0, -62.0)),
            microphone_db=float(rng.uniform(-4.0, 4.0)),
        )

    def style(self, emotion: str, rng: np.random.Generator) -> Style:
        """Return this speaker's style in one utterance; raise SynthesisError for an emotion without a style."""
        check_styles([emotion])
        own = np.random.default_rng([self.seed, 1 + list(EMOTION_STYLES).index(emotion)])
        degree = own.uniform(0.75, 1.3) * rng.uniform(0.7, 1.25)
        size = len(fields(Style))
        habit = HABIT_SHARE * own.normal(size=size) + UTTERANCE_SHARE * rng.normal(size=size)
        values = _vector(EMOTION_STYLES[emotion]) * degree + _vector(_SPREAD) * habit
        settings = dict(zip((field.name for field in fields(Style)), values.tolist(), strict=True))
        for name in ("roughness", "tremor_st", "pauses"):
            settings[name] = max(0.0, settings[name])
        return Style(**settings)
