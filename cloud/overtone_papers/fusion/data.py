"""Options of system D, and a corpus as its networks read it: acoustic tracks, token vectors, four classes."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from overtone_cloud.corpora.splits import Fold
from overtone_cloud.corpora.utterance import Reading, Utterance
from overtone_cloud.errors import ConfigError, CorpusError
from overtone_cloud.features.text import TextEncoder, embed
from overtone_cloud.features.transcripts import transcripts_of
from overtone_models.features.acoustic import AcousticSpec
from overtone_models.features.spec import Feature
from overtone_models.front_end import F32
from overtone_papers.common.data import Rows, Scaler, classes_of, rows_of
from overtone_papers.common.options import flag, number, path, quick_constant, whole, word, words
from overtone_papers.common.study import Study

LABELS = ("neutral", "happy", "sad", "angry")
SYSTEMS = ("EF-CS", "EF-WS", "EF-PT", "LF-PT", "LF-CS", "LF-WS")
"""The first four are the paper's."""
PREFERRED = ("EF-WS", "EF-PT", "EF-CS", "LF-PT", "LF-WS", "LF-CS")
"""Of several fusions of one architecture, the first of these is saved."""
WINDOW_S, HOP_S = 0.032, 0.01


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Options of system D; the rates and 40 warm-up steps are the paper's."""

    encoder: Path | None = path(
        "local Hugging Face folder of a BERT-like encoder (config.json, vocabulary, model.safetensors)"
    )
    width: int | None = whole(
        None, "numbers per token that the encoder must have (BERT-base: 768), or any", unset="any"
    )
    glove: Path | None = path("text file of GloVe word vectors, one word and its numbers per line")
    transcripts: Path | None = path("CSV file with transcripts, for corpora that have none")
    audio: str = word(
        "own",
        "own, or opensmile (pip install opensmile; its licence forbids commercial products)",
        ("own", "opensmile"),
    )
    systems: tuple[str, ...] = words(SYSTEMS[:4], f"fusions to train, of {', '.join(SYSTEMS)}", SYSTEMS)
    folds: int = whole(5, "folds by speaker and at random", 2)
    script_folds: int = whole(2, "folds of scripts, for every fold of speakers", 2)
    epochs: int = whole(30, "epochs of a training", quick=10)
    fusion_epochs: int = whole(
        60, "epochs of the fusions that start from trained branches (pre-trained, warm start)", quick=25
    )
    batch: int = whole(32, "utterances in a batch", 2)
    max_s: float = number(10.0, "seconds of an utterance that the audio network hears", 0.5, 60.0, quick=4.0)
    max_tokens: int = whole(64, "tokens of a transcript that the text network reads", 2, 512)
    sizes: bool = flag("also train the audio and text networks with half and twice the nodes (figure 2): yes or no")
    tested_folds: int | None = quick_constant(None, 2)
    """Of each criterion only so many folds are trained; None for all."""
    learning_rate: float = 7e-4
    fine_tuning_rate: float = 1e-4
    late_rate: float = 1e-2
    warmup_steps: int = 40

    @property
    def fusions(self) -> tuple[str, ...]:
        """The fusions to train, in the order of the paper's table."""
        return tuple(name for name in SYSTEMS if name in self.systems)

    def training(self) -> dict[str, Any]:
        """Return what changes a training's result, without folders of this machine, as JSON."""
        left_out = {"encoder", "glove", "transcripts", "systems", "sizes", "tested_folds", "width"}
        return {name: value for name, value in asdict(self).items() if name not in left_out}


class TextSource(NamedTuple):
    """An encoder or word vectors, and its title for readers."""

    title: str
    encoder: TextEncoder


@dataclass(frozen=True, kw_only=True, eq=False)
class Data:
    """One corpus: `(frames, 36)` raw tracks, `(tokens, width)` vectors by text source, class numbers."""

    name: str
    utterances: tuple[Utterance, ...]
    tracks: tuple[F32, ...]
    tokens: Mapping[str, tuple[F32, ...]]
    y: Rows
    features: Mapping[str, Any]
    """How the tracks were computed, as JSON."""
    digest: str = ""
    text_digests: Mapping[str, str] = field(default_factory=dict)
    """The digest of each text source."""

    def rows(self, ids: Sequence[str]) -> Rows:
        """Return the places of these utterances; those that could not be read are passed over."""
        return rows_of(self.utterances, ids)


@dataclass(frozen=True, kw_only=True, eq=False)
class Inputs:
    """One fold's arrays: scaled and padded `x[source][part]`, classes `y[part]`; part is train or test."""

    x: Mapping[str, tuple[F32, ...]]
    y: tuple[Rows, Rows]
    rows: tuple[Rows, Rows]
    scaler: Scaler
    """Of the tracks; token vectors are not scaled."""


def network_of(system: str) -> str:
    """Return the name of a system's network."""
    return {"audio": "d-audio", "EF": "d-early", "LF": "d-late"}.get(system.partition("-")[0], "d-text")


def saved_systems(systems: Iterable[str]) -> dict[str, str]:
    """Return which of the trained systems is saved for each network: `{"d-audio": "audio", ...}`."""
    saved: dict[str, str] = {}
    for system in sorted(systems, key=lambda name: PREFERRED.index(name) if name in PREFERRED else -1):
        saved.setdefault(network_of(system), system)
    return saved


def seconds_of(frames: int) -> float:
    """Return the duration that acoustic frames cover."""
    return WINDOW_S + HOP_S * (frames - 1)


def audio_feature(settings: Settings) -> Feature:
    """Return the feature of the `(frames, 36)` tracks; raise ConfigError where openSMILE is not installed."""
    if settings.audio == "own":
        return AcousticSpec()
    from overtone_cloud.features.opensmile import OpenSmileSpec, check_opensmile

    check_opensmile()
    return OpenSmileSpec()


def text_keys(settings: Settings) -> tuple[str, ...]:
    """Return the keys of the text sources, that of the fusions first; raise ConfigError where there is none."""
    keys = tuple(key for key in ("encoder", "glove") if getattr(settings, key) is not None)
    if not keys:
        raise ConfigError(
            "system D reads text: --option encoder=FOLDER names a local Hugging Face folder of a BERT-like encoder, "
            "--option glove=FILE a text file of word vectors"
        )
    return keys


def text_sources(settings: Settings, readings: Iterable[Reading]) -> dict[str, TextSource]:
    """Return the encoder and the word vectors that the options name; of the latter only those of the words spoken."""
    from overtone_cloud.features.encoder_folder import read_encoder
    from overtone_cloud.features.word_vectors import read_word_vectors

    texts = [str(u.text) for reading in readings for u in spoken(reading, settings.transcripts)]
    sources = {}
    if settings.encoder is not None:
        title = "encoder " + "/".join(settings.encoder.resolve().parts[-2:])  # packages call theirs just "model"
        sources["encoder"] = TextSource(title, read_encoder(settings.encoder, width=settings.width))
    if settings.glove is not None:
        vectors = read_word_vectors(settings.glove, texts)
        sources["glove"] = TextSource(f"word vectors {settings.glove.name}", vectors)
    return sources


def usable(name: str, utterances: Sequence[Utterance]) -> tuple[Utterance, ...]:
    """Return the utterances of the four classes; where a corpus names no sentence, equal words are one script."""
    used = [u for u in utterances if u.label in LABELS]
    missing = [label for label in LABELS if not any(u.label == label for u in used)]
    if missing:
        raise CorpusError(
            f"corpus {name} has no utterance labelled {', '.join(missing)}; system D needs {', '.join(LABELS)}"
        )
    return tuple(replace(u, sentence=u.sentence or (u.text and " ".join(u.text.lower().split()))) for u in used)


def spoken(reading: Reading, transcripts: Path | None) -> tuple[Utterance, ...]:
    """Return the labelled utterances whose words are known; raise CorpusError, which names the option, for none."""
    words = transcripts_of(reading, table=transcripts)
    return tuple(replace(u, text=words[u.id]) for u in reading.labelled if u.id in words)


def transcribed(name: str, reading: Reading, settings: Settings) -> tuple[Utterance, ...]:
    """Return the utterances of the four classes whose words are known, from the corpus or the transcripts file."""
    return usable(name, spoken(reading, settings.transcripts))


def read(
    study: Study, settings: Settings, name: str, reading: Reading, sources: Mapping[str, TextSource], feature: Feature
) -> Data:
    """Return a corpus' tracks and token vectors; raise CorpusError where no utterance has a transcript."""
    used = transcribed(name, reading, settings)
    without = sum(1 for u in reading.labelled if u.label in LABELS) - len(used)
    if without:
        study.log(f"corpus {name}: {without} utterances without a transcript are left out")
    readable, tracks = study.extract(used, feature)
    utterances = usable(name, readable)
    texts = [str(u.text) for u in utterances]
    tokens = {}
    for key, source in sources.items():
        study.log(f"{source.title}: {len(set(texts))} different transcripts")
        vectors = embed(texts, source.encoder, cache=study.cache, log=study.log)
        tokens[key] = tuple(vectors[text][: settings.max_tokens] for text in texts)
    return Data(
        name=name,
        utterances=utterances,
        tracks=tuple(track[: round(settings.max_s / HOP_S)] for track in tracks),
        tokens=tokens,
        y=classes_of(utterances, LABELS),
        features=feature.to_json(),
        digest=reading.digest,
        text_digests={key: source.encoder.digest for key, source in sources.items()},
    )


def inputs(data: Data, fold: Fold) -> Inputs:
    """Return a fold's arrays; the tracks are scaled by the training part's."""
    rows = data.rows(fold.train), data.rows(fold.test)
    for part, own in zip(("train on", "test"), rows, strict=True):
        if not len(own):
            raise CorpusError(f"corpus {data.name}, fold {fold.name!r} has nothing to {part} that could be read")
    scaler = track_scaler([data.tracks[row] for row in rows[0]])
    x = {}
    for source, sequences in {"audio": tuple(map(scaler, data.tracks)), **data.tokens}.items():
        longest = max(map(len, sequences))
        x[source] = tuple(padded([sequences[row] for row in part], longest) for part in rows)
    return Inputs(x=x, y=(data.y[rows[0]], data.y[rows[1]]), rows=rows, scaler=scaler)


def track_scaler(tracks: Sequence[F32]) -> Scaler:
    """Return mean and deviation `(36,)` over all frames.

    The paper adds the first differences after normalising: they have the deviation of what they are differences of,
    and lose no mean.
    """
    half = tracks[0].shape[1] // 2
    static = Scaler.fit(np.concatenate([track[:, :half] for track in tracks]), dtype=np.float64)
    mean = np.concatenate([static.mean, np.zeros(half, np.float32)])
    return Scaler(mean=mean, std=np.concatenate([static.std, static.std]))


def padded(sequences: Sequence[F32], length: int, filling: F32 | float = 0.0) -> F32:
    """Return `(n, length, width)`: each sequence followed by zeros, or for raw features by `filling`."""
    result = np.full((len(sequences), length, sequences[0].shape[1]), filling, np.float32)
    for row, sequence in enumerate(sequences):
        result[row, : len(sequence)] = sequence
    return result
