"""The facts of a pretrained model as JSON: everything that its card says, and nothing that depends on this machine."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from overtone_cloud.conditions.read_speech import ReadSpeech
from overtone_cloud.conditions.sounds import Sounds
from overtone_cloud.corpora.registry import CORPORA
from overtone_cloud.corpora.split_file import Split
from overtone_cloud.corpora.splits import corpus_of
from overtone_cloud.corpora.utterance import Reading
from overtone_cloud.errors import ConfigError
from overtone_cloud.pretraining.joint_corpus import COMMON
from overtone_cloud.pretraining.training import PretrainingResult
from overtone_cloud.recognition.predictions import genders_of
from overtone_cloud.training.settings import TrainSettings
from overtone_converters.signing import NAME
from overtone_converters.verify import Verification
from overtone_models.bundle import read_bundle
from overtone_models.digests import digest_bytes
from overtone_models.labels import ordered

FORMAT, VERSION = "overtone-model-card", 1
MAX_VERSION = 2**31 - 1
UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class Release:
    """A pretrained model's name, version, training data and settings, and the benchmark's extract if there is one."""

    name: str
    version: int
    settings: TrainSettings
    readings: Mapping[str, Reading]
    classes: str = COMMON
    sounds: Sounds | None
    speech: ReadSpeech | None
    figures: Mapping[str, Any] | None


def check_release(name: str, version: int) -> None:
    """Raise ConfigError where a model cannot be called by this name or carry this version."""
    if not NAME.fullmatch(name):
        raise ConfigError(f"--name is {name!r}: use at most 64 letters, digits, dots, dashes and underscores")
    if not 1 <= version <= MAX_VERSION:
        raise ConfigError(f"--version is {version}, limit is 1..{MAX_VERSION}")


def card_data(release: Release, result: PretrainingResult, data: bytes, verification: Verification) -> dict[str, Any]:
    """Return the facts of a finished model, whose bundle is `data`.

    The inner speakers' UAR is left out: they chose when to stop, so it flatters.
    """
    corpora = sorted(release.readings)
    return {
        "format": FORMAT,
        "version": VERSION,
        "name": release.name,
        "command": command_of(release, corpora),
        "bundle": _bundle(data),
        "training": _training(result, release),
        "corpora": {corpus: _corpus(corpus, release.readings[corpus], result) for corpus in corpora},
        "parity": {key: value for key, value in verification.to_json().items() if not key.startswith("uar_")},
        "figures": release.figures,
    }


def command_of(release: Release, corpora: list[str]) -> str:
    """Return the command that trains the model, with placeholder paths."""
    words = ["overtone", "pretrain"]
    for corpus in corpora:
        words += ["--corpus", f"{corpus}=path/to/{corpus}"]
    words += ["--classes", release.classes] if release.classes != COMMON else []
    words += ["--sounds", "path/to/sounds"] if release.sounds else []
    words += ["--speech", "path/to/speech"] if release.speech else []
    words += ["--settings", "settings.toml", "--name", release.name]
    words += ["--figures", "path/to/recognition.json"] if release.figures is not None else []
    return shlex.join(words)


def _bundle(data: bytes) -> dict[str, Any]:
    bundle = read_bundle(data)
    manifest = bundle.manifest
    return {
        "sha256": digest_bytes(data),
        "bytes": len(data),
        "streaming_bytes": len(bundle.streaming_model),
        "training_bytes": len(bundle.training_model),
        "version": manifest.version,
        "created": manifest.created,
        "labels": list(manifest.labels),
        "licence": manifest.licence,
        "network": manifest.edge.to_json(),
        "parameters": manifest.layout.size,
        "multiply_adds_3_s": manifest.edge.multiply_adds_3_s,
        "temperature": round(manifest.calibration.temperature, 4),
        "threshold": round(manifest.calibration.threshold, 4),
        "base": bundle.base,
        "layout": manifest.layout.digest,
        "front_end": manifest.front_end.digest,
    }


def _training(result: PretrainingResult, release: Release) -> dict[str, Any]:
    inner = sorted(set(result.inner.speakers))
    return {
        "seed": release.settings.seed,
        "epochs": len(result.history),
        "selection": selection(result.history, inner),
        "utterances": len(result.train),
        "inner_utterances": len(result.inner),
        "inner_speakers": inner,
        "conditioned": release.settings.augmentation.conditioned,
        "sounds": len(release.sounds.training) if release.sounds else 0,
        "read_speech": len(release.speech.training) if release.speech else 0,
        "skipped": list(result.train.skipped),
        "digest": result.reading.digest,
        "split": describe_split(result.split),
    }


def selection(history: Sequence[Mapping[str, float]], inner: Sequence[str]) -> str:
    """Return in words how weights, temperature and threshold were chosen."""
    best = min((entry for entry in history if "inner_loss" in entry), key=lambda entry: entry["inner_loss"])
    return (
        f"the averaged weights of the epoch with the least loss over the inner speakers ({', '.join(inner)}), who "
        f"trained nothing: epoch {int(best['epoch'])} of {len(history)}. Temperature and threshold are fitted to them "
        "as well, the temperature held the nearer to 1 the fewer they are."
    )


def describe_split(split: Split) -> str:
    """Return the split in one line; its test part are the inner speakers."""
    train, test = len(split.folds[0].train), len(split.folds[0].test)
    return f"{split.corpus}: {train} utterances train, {test} of inner speakers choose when to stop"


def _corpus(corpus: str, reading: Reading, result: PretrainingResult) -> dict[str, Any]:
    utterances = [u for u in result.reading.utterances if corpus_of(str(u.speaker)) == corpus]
    genders = list(genders_of(Reading(corpus=corpus, root=reading.root, utterances=tuple(utterances))).values())
    labels = {str(u.label) for u in utterances}
    left_out = sorted({str(u.label) for u in reading.labelled} - labels)
    terms = CORPORA.get(corpus)
    return {
        "title": terms.title if terms else corpus,
        "language": terms.language if terms else UNKNOWN,
        "licence": terms.licence if terms else "as the corpus says",
        "page": terms.page if terms else None,
        "utterances": len(utterances),
        "speakers": {kind: genders.count(kind) for kind in sorted(set(genders))},
        "classes": list(ordered(labels)),
        "left_out": {label: sum(1 for u in reading.labelled if u.label == label) for label in left_out},
        "digest": reading.digest,
    }
