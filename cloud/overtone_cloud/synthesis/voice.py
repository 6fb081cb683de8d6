"""Formant synthesis: glottal pulses and noise through a cascade of moving resonators (Klatt, 1980)."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter, sosfilt

from overtone_cloud.errors import SynthesisError
from overtone_cloud.synthesis.score import F64, TICK_S, Score, write_score
from overtone_cloud.synthesis.style import Style, Voice
from overtone_common.audio import SAMPLE_RATE_HZ

F32 = NDArray[np.float32]

TICK_SAMPLES = round(TICK_S * SAMPLE_RATE_HZ)
SHORTEST_S, LONGEST_S = 0.3, 60.0
PEAK = 0.98
"""Louder utterances are scaled down to this."""


def synthesise(
    voice: Voice, emotion: str, seconds: float, rng: np.random.Generator, *, script: int | None = None
) -> F32:
    """Return one utterance, float32 in -1..1 at 16 kHz, of exactly `seconds`; the same for the same `rng`.

    `script` names what is said (the same syllables for any speaker and emotion); None draws it from `rng`.
    Raise SynthesisError for an emotion without a style or a length outside 0.3..60 s.
    """
    if not SHORTEST_S <= seconds <= LONGEST_S:
        raise SynthesisError(f"seconds is {seconds}, limits are {SHORTEST_S} and {LONGEST_S:g}")
    style = voice.style(emotion, rng)
    words = np.random.default_rng(int(rng.integers(2**32)) if script is None else [script, 77])
    samples = round(seconds * SAMPLE_RATE_HZ)
    ticks = -(-samples // TICK_SAMPLES)
    score = write_score(voice, style, ticks, words, rng)
    return _record(voice, style, _speak(voice, style, score, rng)[:samples], rng)


def _speak(voice: Voice, style: Style, score: Score, rng: np.random.Generator) -> F64:
    """Return the sound at the lips: source through vocal tract, and consonants; the voice's RMS is 1."""
    amplitude = _at_samples(score.voicing)
    pulses, opening = _glottis(_at_samples(score.pitch_hz), voice.roughness + style.roughness, rng)
    pulses = _tilt(pulses, voice.tilt_db + style.tilt_db)
    breath = 10 ** ((voice.breath_db + style.breath_db) / 20)
    aspiration = rng.normal(size=pulses.size) * breath * (0.3 + opening)
    voiced = _resonate(amplitude * (pulses + aspiration), _formants(score.formants_hz))
    loud = voiced[amplitude > 0.1]
    voiced /= float(np.sqrt(np.mean(np.square(loud)))) if loud.size else 1.0
    noise = rng.normal(size=pulses.size) * _at_samples(score.frication)
    sound: F64 = voiced + _resonate(noise, _bands(score.frication_hz))
    return sound


def _record(voice: Voice, style: Style, sound: F64, rng: np.random.Generator) -> F32:
    """Return the sound as this speaker's room and microphone pick it up."""
    level = voice.level_db + style.energy_db + rng.normal(0.0, 1.0)
    picked = _microphone(sound * 10 ** (level / 20), voice.microphone_db)
    picked = picked + rng.normal(size=sound.size) * 10 ** (voice.noise_db / 20)
    peak = float(np.abs(picked).max())
    return (picked * min(1.0, PEAK / peak)).astype(np.float32)


def _at_samples(track: F64) -> F64:
    """Return a `(ticks,)` track as `(ticks * TICK_SAMPLES,)`, straight lines between its values."""
    wanted = np.arange(track.size * TICK_SAMPLES) / TICK_SAMPLES
    return np.interp(wanted, np.arange(track.size), track)


def _glottis(pitch_hz: F64, roughness: float, rng: np.random.Generator) -> tuple[F64, F64]:
    """Return the flow's derivative (KLGLOTT88, with jitter and shimmer) and how far the glottis is open."""
    cycle = np.cumsum(pitch_hz / SAMPLE_RATE_HZ).astype(int)
    jitter = rng.normal(0.0, 0.004 + 0.035 * roughness, cycle[-1] + 2)[cycle]
    phase = np.cumsum(pitch_hz * (1.0 + jitter) / SAMPLE_RATE_HZ) + rng.random()
    number = np.floor(phase).astype(int)
    shimmer = 1.0 + rng.normal(0.0, 0.02 + 0.2 * roughness, number[-1] + 1)[number]
    position = (phase - number) / 0.62
    is_open = position < 1.0
    flow = np.where(is_open, position**2 * (1.0 - position) * 6.75, 0.0)
    slope = np.where(is_open, position * (2.0 - 3.0 * position), 0.0)
    return slope * shimmer, flow


def _tilt(source: F64, loss_db: float) -> F64:
    """Return the source through one pole that takes `loss_db` (0.2 or more) at 3 kHz."""
    loss = 10 ** (max(loss_db, 0.2) / 10)
    cosine = np.cos(2 * np.pi * 3000.0 / SAMPLE_RATE_HZ)
    # |H|^2 = (1-a)^2 / (1 - 2a cos + a^2) = 1 / loss, solved for the pole a inside the unit circle.
    half = (loss - cosine) / (loss - 1.0)
    pole = half - np.sqrt(half**2 - 1.0)
    tilted: F64 = lfilter([1.0 - pole], [1.0, -pole], source)
    return tilted


def _microphone(sound: F64, high_db: float) -> F64:
    """Return the sound with `high_db` more at the top of the spectrum than at its bottom."""
    top = 10 ** (high_db / 20)
    coloured: F64 = lfilter([(1.0 + top) / 2, (1.0 - top) / 2], [1.0], sound)
    return coloured


def _poles(centres_hz: F64, bandwidth_hz: F64) -> tuple[F64, F64]:
    """Return the recursive coefficients B and C of resonators (Klatt, 1980, equation 2)."""
    c = -np.exp(-2 * np.pi * bandwidth_hz / SAMPLE_RATE_HZ)
    b = 2 * np.exp(-np.pi * bandwidth_hz / SAMPLE_RATE_HZ) * np.cos(2 * np.pi * centres_hz / SAMPLE_RATE_HZ)
    return b, c


def _formants(centres_hz: F64) -> F64:
    """Return `(ticks, n, 6)` second order sections in cascade with gain 1 at 0 Hz."""
    b, c = _poles(centres_hz, 45.0 + 0.035 * centres_hz)
    zero, one = np.zeros_like(b), np.ones_like(b)
    return np.stack([1.0 - b - c, zero, zero, one, -b, -c], axis=-1)


def _bands(centres_hz: F64) -> F64:
    """Return `(ticks, 1, 6)` second order sections that pass one broad band with gain 1."""
    b, c = _poles(centres_hz, 600.0 + 0.1 * centres_hz)
    gain, zero, one = (1.0 + c) / 2, np.zeros_like(b), np.ones_like(b)
    return np.stack([gain, zero, -gain, one, -b, -c], axis=-1)[:, None]


def _resonate(source: F64, sections: F64) -> F64:
    """Return `source` through sections `(ticks, n, 6)`, their state carried from tick to tick."""
    changes = np.flatnonzero(np.any(sections[1:] != sections[:-1], axis=(1, 2))) + 1
    state = np.zeros((sections.shape[1], 2))
    result = np.empty_like(source)
    for first, last in pairwise([0, *changes.tolist(), sections.shape[0]]):
        span = slice(first * TICK_SAMPLES, last * TICK_SAMPLES)
        result[span], state = sosfilt(sections[first], source[span], zi=state)
    return result
