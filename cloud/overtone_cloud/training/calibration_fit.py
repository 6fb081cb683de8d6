"""Calibration of a trained network: temperature and threshold from unseen speech and from everyday sounds."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from overtone_cloud.training.settings import TrainSettings
from overtone_models.calibration import Calibration, fit_sound_rejection, fit_temperature, fit_threshold
from overtone_models.front_end import F32, FrontEndSpec, dct_matrix
from overtone_models.trained_model import TrainedModel

PIECE_S, STEP_S = 3.0, 0.5
DOUBT = 2
"""Weight of a temperature of 1, in speakers."""
LEAST = 0.4
"""Decisions above 0.4 were right seven times in ten on inner speakers of RAVDESS and EmoDB (docs/recognition.md)."""


def calibration(
    logits: F32, targets: Any, of_sounds: F32, settings: TrainSettings, *, speakers: Sequence[str]
) -> Calibration:
    """Return the calibration that fits `(n, K)` logits of speech and leaves `(m, K)` logits of sounds undecided.

    `speakers` names each row's speaker: the fewer there are, the closer the temperature stays to 1, since that of a
    single speaker lies anywhere from 0.5 to 1.5 (docs/recognition.md).
    """
    n = len(set(speakers))
    scaled = Calibration(temperature=fit_temperature(logits, targets) ** (n / (n + DOUBT)))
    threshold = fit_threshold(scaled.probabilities(logits), targets, settings.no_decision_accuracy)
    fitted = replace(scaled, threshold=threshold)
    if not len(of_sounds):
        return fitted
    return fit_sound_rejection(
        replace(fitted, threshold=max(threshold, LEAST)), of_sounds, logits, settings.no_decision_sounds
    )


def default_calibration(logits: F32, of_sounds: F32, settings: TrainSettings) -> Calibration:
    """Return the calibration of a training without inner speakers: temperature 1 and the least threshold.

    `(n, K)` logits are those of the training speech. Networks trained with smoothed labels and averaged
    weights hardly need calibration: fitted temperatures lie between 0.92 and 1.05 (docs/recognition.md).
    """
    likely = Calibration(threshold=LEAST)
    return fit_sound_rejection(likely, of_sounds, logits, settings.no_decision_sounds) if len(of_sounds) else likely


def sound_logits(model: TrainedModel, sounds: Sequence[F32]) -> F32:
    """Return `(m, K)` logits of pieces of sounds, `(frames, n_mels)` each, as a device gets them one by one."""
    from overtone_models.networks import edge_tcn

    dct = dct_matrix(model.front_end)
    utterances = [model.standardise(piece @ dct) for sound in sounds for piece in pieces(sound, model.front_end)]
    return edge_tcn.logits(model.network, model.weights, utterances)


def pieces(sound: F32, front_end: FrontEndSpec) -> list[F32]:
    """Return the last 3 s of a sound at every half second, and at its end."""
    longest, step = round(PIECE_S / front_end.hop_s), round(STEP_S / front_end.hop_s)
    ends = sorted({*range(step, len(sound), step), len(sound)})
    return [sound[max(0, end - longest) : end] for end in ends]
