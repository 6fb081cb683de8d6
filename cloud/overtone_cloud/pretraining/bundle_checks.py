"""Checks of a pretrained bundle: against its float network on recordings of its split, or on synthesised voices."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from overtone_cloud.bundles.sources import utterances_of
from overtone_cloud.conditions.conditioned_features import conditioned_mfcc
from overtone_cloud.conditions.conditions import Condition, FarMicrophone, Level, Telephone
from overtone_cloud.corpora.split_file import load_split
from overtone_cloud.corpora.utterance import Reading
from overtone_cloud.errors import TrainingError
from overtone_cloud.pretraining.joint_corpus import inner_part, join
from overtone_cloud.synthesis import EMOTION_STYLES, Voice, synthesise
from overtone_cloud.training.features import Features, extract
from overtone_converters.self_check import SelfCheck, self_check
from overtone_converters.verify import Verification, verify_bundle
from overtone_models.bundle import Bundle
from overtone_models.digests import digest_bytes
from overtone_models.errors import BundleError
from overtone_models.front_end import F32, mfcc
from overtone_models.pretrained import CARD_DATA

VOICES, SECONDS = 4, 2.0
PARITY_CONDITIONS: tuple[Condition, ...] = (FarMicrophone(), Telephone(), Level(peak_db=-30.0), Level(peak_db=-1.0))
"""Further conditions of the inner speakers' utterances in the comparison of int8 with float.

The speakers are few: of 162 utterances two that change their label can move the UAR by a point. With the conditions
each utterance gives five rows, and the int8 ranges are tried where training speech did not set them. No condition needs
other recordings, so whoever has the corpora can repeat the comparison.
"""


def check_alone(bundle: Bundle) -> SelfCheck:
    """Return the check without recordings; raise ParityError where the runtime refuses the bundle."""
    return self_check(bundle, *_synthetic_speech(bundle))


def _synthetic_speech(bundle: Bundle) -> tuple[list[F32], NDArray[np.int64]]:
    """Return MFCC of synthetic voices for each emotion that both the voice and the model have, and their targets."""
    labels = bundle.manifest.labels
    pairs = [(seed, label) for seed in range(VOICES) for label in labels if label in EMOTION_STYLES]
    utterances = [
        mfcc(synthesise(Voice.of(seed), label, SECONDS, np.random.default_rng(seed)), bundle.manifest.front_end)
        for seed, label in pairs
    ]
    return utterances, np.array([labels.index(label) for _, label in pairs], np.int64)


def check_with_recordings(
    bundle: Bundle, readings: Mapping[str, Reading], split: Path, cache: Path | None
) -> Verification:
    """Return the comparison on the inner speakers of the model's own split; raise where it is of other corpora."""
    reading, model_split = join(readings, bundle.manifest.labels), load_split(split)
    inner = set(model_split.folds[0].test)
    utterances = [u for u in reading.labelled if u.id in inner]
    if not utterances:
        raise TrainingError(f"{split} names no utterance of {reading.corpus}")
    features = extract(utterances, bundle.manifest.front_end, bundle.manifest.gate, cache=cache)
    part = inner_part(reading, model_split, features)
    return verify_bundle(bundle, *parity_utterances(part, bundle.manifest.labels, cache=cache))


def refuse_other_card(path: Path) -> None:
    """Raise BundleError where the card beside a bundle is of another bundle; without a card nothing happens."""
    card = path.parent / CARD_DATA
    if not card.is_file():
        return
    try:
        card_digest = json.loads(card.read_bytes())["bundle"]["sha256"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BundleError(f"{card} is no model card's data: {error!r}") from error
    digest = digest_bytes(path.read_bytes())
    if card_digest != digest:
        raise BundleError(f"{path} has the digest {digest[:12]}, the card beside it is of {str(card_digest)[:12]}")


def parity_utterances(
    inner: Features, labels: tuple[str, ...], *, cache: Path | None
) -> tuple[list[F32], NDArray[np.int64]]:
    """Return `(frames, n_mfcc)` utterances as recorded and under `PARITY_CONDITIONS`, and their targets.

    Utterances without detected speech under a condition are left out.
    """
    utterances, targets = utterances_of(inner, labels)
    candidates: list[F32 | None] = [*utterances]
    for condition in PARITY_CONDITIONS:
        candidates += conditioned_mfcc(inner.utterances, inner.spec, condition, cache=cache)
    audible = [row for row, mfcc in enumerate(candidates) if mfcc is not None]
    return [mfcc for mfcc in candidates if mfcc is not None], np.tile(targets, 1 + len(PARITY_CONDITIONS))[audible]
