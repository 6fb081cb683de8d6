"""Control tracks of an utterance: pitch, formants and noise, one value every 5 ms."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from overtone_cloud.synthesis.style import Style, Voice

F64 = NDArray[np.float64]

TICK_S = 0.005
EDGE_S = 0.12
"""Silence before and after the speech."""

VOWELS = np.array(
    [
        [270, 2290, 3010],
        [400, 2000, 2550],
        [550, 1800, 2480],
        [690, 1660, 2430],
        [730, 1090, 2440],
        [570, 840, 2410],
        [440, 1020, 2240],
        [310, 870, 2250],
        [500, 1500, 2500],
    ],
    np.float64,
)
"""Formants 1-3 of a male voice, Hz (Peterson and Barney, 1952)."""

HIGH_FORMANTS_HZ = (3500.0, 4500.0, 5500.0, 6500.0)
FORMANT_LIMIT_HZ = 7300.0


@dataclass(frozen=True)
class Score:
    """Control tracks of one utterance, `TICK_S` apart: `(ticks,)`, formants `(ticks, 7)`."""

    pitch_hz: F64
    formants_hz: F64
    voicing: F64
    frication: F64
    frication_hz: F64


@dataclass(frozen=True)
class Syllable:
    """A consonant and a vowel, in ticks from the beginning."""

    start: int
    vowel_start: int
    end: int
    vowel: int
    consonant: str
    stress: float
    last: bool


def write_score(voice: Voice, style: Style, ticks: int, script: np.random.Generator, rng: np.random.Generator) -> Score:
    """Return the tracks of an utterance of `ticks`; `script` draws the syllables, `rng` their delivery."""
    edge = min(round(EDGE_S / TICK_S), ticks // 6)
    syllables = _syllables(voice, style, (edge, ticks - edge), script, rng)
    vowels = np.repeat(VOWELS[8][None], ticks, axis=0)
    voicing, frication, centre = np.zeros(ticks), np.zeros(ticks), np.full(ticks, 4500.0)
    for syllable in syllables:
        vowels[syllable.start :] = _target(VOWELS[syllable.vowel], syllable.stress)
        _write_voicing(syllable, style, voicing)
        _write_frication(syllable, script, frication, centre)
    high = np.broadcast_to(np.array(HIGH_FORMANTS_HZ), (ticks, len(HIGH_FORMANTS_HZ)))
    formants = np.concatenate([_smooth(vowels, 12), high], axis=1)
    formants *= voice.tract * 2**style.formant_oct
    return Score(
        pitch_hz=_pitch(voice, style, syllables, ticks, rng),
        formants_hz=np.minimum(formants, FORMANT_LIMIT_HZ),
        voicing=_smooth(voicing[:, None], 5)[:, 0],
        frication=_smooth(frication[:, None], 3)[:, 0],
        frication_hz=centre,
    )


def _syllables(
    voice: Voice, style: Style, span: tuple[int, int], script: np.random.Generator, rng: np.random.Generator
) -> list[Syllable]:
    """Return syllables that fill `span`, as many as the rate of speech gives."""
    length = span[1] - span[0]
    rate = voice.syllables_per_s * 2**style.rate_oct
    count = max(1, round(length * TICK_S * rate))
    vowels = script.integers(0, len(VOWELS), count)
    consonants = script.choice(["none", "fricative", "plosive", "nasal"], count, p=[0.15, 0.3, 0.3, 0.25])
    stressed = script.random(count) < 0.4
    stressed[0] |= not stressed.any()
    pauses = (rng.random(count) < 0.04 + style.pauses) & (np.arange(count) < count - 1)
    weights = rng.lognormal(0.0, 0.18, count) * np.where(stressed, 1.3, 0.9)
    rests = np.where(pauses, rng.uniform(0.6, 1.1, count), 0.0)
    bounds = np.cumsum(np.column_stack([weights, rests]).ravel())
    bounds = span[0] + np.rint(bounds / bounds[-1] * length).astype(int)
    starts, ends = np.r_[span[0], bounds[1:-1:2]], bounds[::2]
    result = []
    for i in range(count):
        share = 0.0 if consonants[i] == "none" else 0.35
        onset = int(starts[i] + share * (ends[i] - starts[i]))
        stress = float(stressed[i]) * rng.uniform(0.7, 1.2)
        last = bool(i == count - 1 or pauses[i])
        result.append(Syllable(int(starts[i]), onset, int(ends[i]), int(vowels[i]), str(consonants[i]), stress, last))
    return result


def _target(vowel: F64, stress: float) -> F64:
    """Return a vowel's formants; without stress it lies nearer to the neutral vowel."""
    clear = min(1.0, 0.65 + 0.35 * stress)
    target: F64 = clear * vowel + (1.0 - clear) * VOWELS[8]
    return target


def _write_voicing(syllable: Syllable, style: Style, voicing: F64) -> None:
    """Write the amplitude of the voice in one syllable into `voicing` (1 is a stressed vowel)."""
    size = syllable.end - syllable.vowel_start
    if size < 1:
        return
    sharp = float(np.clip(0.5 - style.tilt_db / 12.0, 0.1, 0.9))
    decay = np.linspace(1.0, 0.45 if syllable.last else 0.75, size) ** (0.5 + sharp)
    voicing[syllable.vowel_start : syllable.end] = (0.55 + 0.45 * syllable.stress) * decay
    if syllable.consonant == "nasal":
        voicing[syllable.start : syllable.vowel_start] = 0.25


def _write_frication(syllable: Syllable, script: np.random.Generator, frication: F64, centre: F64) -> None:
    """Write the noise of one syllable's consonant into `frication`, and its centre frequency into `centre`."""
    colour = script.uniform(2500.0, 6200.0)
    start, stop = syllable.start, syllable.vowel_start
    if syllable.consonant == "plosive":
        start = max(start, stop - 4)
    if syllable.consonant in ("plosive", "fricative"):
        frication[start:stop] = 0.6 if syllable.consonant == "fricative" else 0.9
        centre[start:stop] = colour


def _pitch(voice: Voice, style: Style, syllables: list[Syllable], ticks: int, rng: np.random.Generator) -> F64:
    """Return the pitch in Hz: declination, accents on stressed syllables, final movement, drift and tremor."""
    time = np.arange(ticks) * TICK_S
    width = voice.range_st * 2**style.range_oct
    semitones = style.pitch_st + 0.5 * width * (0.5 - time / max(time[-1], TICK_S))
    for syllable in syllables:
        middle = 0.5 * (syllable.vowel_start + syllable.end) * TICK_S
        height = width * syllable.stress * rng.uniform(0.6, 1.1)
        semitones += height * np.exp(-0.5 * ((time - middle) / 0.08) ** 2)
        if syllable.last:
            near = (time - syllable.end * TICK_S + 0.22) / 0.22
            semitones += (style.final_st - 1.0) * np.where(near <= 1.0, np.clip(near, 0.0, 1.0), 0.0)
    drift = _smooth(rng.normal(0.0, 1.0, (ticks, 1)), 40)[:, 0]
    semitones += 0.25 * width * drift
    semitones += style.tremor_st * np.sin(2 * np.pi * (6.0 * time + rng.random()))
    pitch: F64 = np.clip(voice.pitch_hz * 2 ** (semitones / 12.0), 50.0, 700.0)
    return pitch


def _smooth(tracks: F64, width: int) -> F64:
    """Return `(ticks, n)` tracks averaged over `width` ticks (Hann window); the ends are repeated."""
    window = np.hanning(width + 2)[1:-1]
    window /= window.sum()
    before, after = width // 2, width - 1 - width // 2
    padded = np.pad(tracks, ((before, after), (0, 0)), mode="edge")
    return np.stack([np.convolve(column, window, mode="valid") for column in padded.T], axis=1)
