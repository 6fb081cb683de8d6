"""What system C's options choose, and a corpus as its network reads it."""

from dataclasses import dataclass

import numpy as np

from overtone_cloud.corpora.utterance import Reading, Utterance
from overtone_cloud.errors import ConfigError, CorpusError
from overtone_cloud.training.metrics import Targets
from overtone_models.features.means import MeanMfccSpec
from overtone_models.front_end import F32
from overtone_models.labels import ordered
from overtone_papers.common.study import Study
from overtone_papers.tess.folds import KINDS

NETWORK = "c-lstm"
QUICK_EPOCHS = 12
SCALES = ("none", "standard")
OPTIONS = {
    "epochs": ("epochs of a training; --quick takes 12", "50"),
    "batch": ("utterances in a batch", "64"),
    "scale": ("none as in the paper, or standard: mean 0 and deviation 1 over the training part", "none"),
    "folds": ("speaker folds of corpora with more speakers than that", "3"),
    "splits": ("which of random, tail, speaker", "random,tail,speaker"),
}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the options leave to choose."""

    epochs: int = 50
    batch: int = 64
    scale: str = "none"
    folds: int = 3
    splits: tuple[str, ...] = KINDS


@dataclass(frozen=True, kw_only=True, eq=False)
class Data:
    """One corpus' labelled utterances, their `(n, 40, 1)` means and class numbers."""

    name: str
    utterances: tuple[Utterance, ...]
    x: F32
    y: Targets
    labels: tuple[str, ...]
    digest: str


def settings_of(study: Study) -> Settings:
    """Return the settings of a study; raise ConfigError in one line for an option that cannot be."""
    chosen = {name: study.options.get(name, default) for name, (_, default) in OPTIONS.items()}
    splits = tuple(word.strip() for word in chosen["splits"].split(","))
    strange = [word for word in splits if word not in KINDS]
    if strange or len(set(splits)) != len(splits):
        raise ConfigError(f"option splits is {chosen['splits']!r}; it takes {', '.join(KINDS)}, each once")
    if chosen["scale"] not in SCALES:
        raise ConfigError(f"option scale is {chosen['scale']!r}; it takes {', '.join(SCALES)}")
    numbers = {name: _whole(name, chosen[name], least) for name, least in (("epochs", 1), ("batch", 1), ("folds", 2))}
    if study.quick and "epochs" not in study.options:
        numbers["epochs"] = QUICK_EPOCHS
    return Settings(scale=chosen["scale"], splits=splits, **numbers)


def _whole(name: str, text: str, least: int) -> int:
    if not text.isdecimal() or int(text) < least:
        raise ConfigError(f"option {name} is {text!r}, it must be a whole number of at least {least}")
    return int(text)


def read(study: Study, name: str, reading: Reading) -> Data:
    """Return a corpus' features; utterances that cannot be read are left out (extraction names them)."""
    from overtone_cloud.features.extraction import extract

    found = extract(reading.labelled, MeanMfccSpec(), cache=study.cache, jobs=study.jobs, ray=study.ray, log=study.log)
    kept = [(u, x) for u, x in zip(reading.labelled, found, strict=True) if x is not None]
    labels = ordered({str(u.label) for u, _ in kept})
    if len(labels) < 2:
        raise CorpusError(f"corpus {name}: {len(kept)} of {len(found)} utterances can be used, with too few emotions")
    return Data(
        name=name,
        utterances=tuple(u for u, _ in kept),
        x=np.stack([x for _, x in kept])[:, :, None].astype(np.float32),
        y=np.array([labels.index(str(u.label)) for u, _ in kept]),
        labels=labels,
        digest=reading.digest,
    )
