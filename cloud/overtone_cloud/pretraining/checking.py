"""Is a bundle whole and does it do what its network does? With the recordings of its split, or without any."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from overtone_cloud.corpora.split_file import load_split
from overtone_cloud.corpora.utterance import Reading
from overtone_cloud.errors import TrainingError
from overtone_cloud.pretraining.joined import inner_part, join
from overtone_cloud.pretraining.parity import parity_utterances
from overtone_cloud.synthesis import EMOTION_STYLES, Voice, synthesise
from overtone_cloud.training.features import extract
from overtone_converters.self_check import SelfCheck, self_check
from overtone_converters.verify import Verification, verify_bundle
from overtone_models.bundle import Bundle
from overtone_models.digests import digest_bytes
from overtone_models.errors import BundleError
from overtone_models.front_end import F32, mfcc
from overtone_models.pretrained import CARD_DATA

VOICES, SECONDS = 4, 2.0


def check_alone(bundle: Bundle) -> SelfCheck:
    """Return what is found without recordings; raise ParityError where the runtime refuses the bundle."""
    return self_check(bundle, *_synthesised(bundle))


def _synthesised(bundle: Bundle) -> tuple[list[F32], "np.ndarray[tuple[int], np.dtype[np.int64]]"]:
    """Return MFCC of some voices saying each emotion that both they and the model have."""
    labels = bundle.manifest.labels
    pairs = [(seed, label) for seed in range(VOICES) for label in labels if label in EMOTION_STYLES]
    heard = [
        mfcc(synthesise(Voice.of(seed), label, SECONDS, np.random.default_rng(seed)), bundle.manifest.front_end)
        for seed, label in pairs
    ]
    return heard, np.array([labels.index(label) for _, label in pairs], np.int64)


def check_with_recordings(
    bundle: Bundle, readings: Mapping[str, Reading], split: Path, cache: Path | None
) -> Verification:
    """Return the comparison on the inner speakers of the model's own split; raise where the corpora are others."""
    reading, kept = join(readings), load_split(split)
    inner = set(kept.folds[0].test)
    used = [u for u in reading.labelled if u.id in inner]
    if not used:
        raise TrainingError(f"{split} names no utterance of {reading.corpus}")
    features = extract(used, bundle.manifest.front_end, bundle.manifest.gate, cache=cache)
    part = inner_part(reading, kept, features)
    return verify_bundle(bundle, *parity_utterances(part, bundle.manifest.labels, cache=cache))


def refuse_other_card(path: Path) -> None:
    """Raise BundleError where the card beside a bundle is another's; nothing happens where there is none."""
    card = path.parent / CARD_DATA
    if not card.is_file():
        return
    try:
        said = json.loads(card.read_bytes())["bundle"]["sha256"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BundleError(f"{card} is no model card's data: {error!r}") from error
    digest = digest_bytes(path.read_bytes())
    if said != digest:
        raise BundleError(f"{path} has the digest {digest[:12]}, the card beside it is of {str(said)[:12]}")
