"""Options of system A, its four emotions as the networks read them, the splits, and the clients' shares."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from overtone_cloud.corpora import splits
from overtone_cloud.corpora.splits import Fold
from overtone_cloud.corpora.utterance import Reading, Utterance
from overtone_cloud.errors import ConfigError, CorpusError
from overtone_models.features.short_term import ShortTermSpec
from overtone_papers.common.data import Examples, Rows, classes_of, pooled
from overtone_papers.common.options import number, quick_constant, whole, word, words
from overtone_papers.common.study import Study
from overtone_papers.federated.tff_engine import find_python, require_python

NETWORKS = ("a-dense", "a-conv", "a-lstm")
SPLITS = ("random", "speaker")
LABELS = ("angry", "happy", "neutral", "sad")
"""The paper's ang, exc, neu, sad; excited counts as happy."""
FOLDS = 5
MAX_CLIENTS = 8
ENGINES = {"tff": "TensorFlow Federated", "own": "the project's own round engine", "both": "both engines"}
BY_NETWORK = "by network"


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What the paper leaves open for one network; how it was chosen stands in `claims.CHOSEN_BY`."""

    dropout: float = 0.2
    activation: str = "relu"
    learning_rate: float = 1e-3
    """Of central training."""
    client_learning_rate: float = 1e-3
    server_learning_rate: float = 1e-3
    server_epsilon: float = 1e-7
    """A large one lets small updates stay small (Reddi et al., 2021); Keras' is 1e-7."""
    local_epochs: int = 1

    def network_options(self, network: str) -> dict[str, Any]:
        """Return the options of the network's builder."""
        return {"activation": self.activation} | ({} if network == "a-lstm" else {"dropout": self.dropout})


RECIPES = {
    "a-dense": Recipe(learning_rate=3e-4, client_learning_rate=1e-4, server_learning_rate=1e-3, local_epochs=3),
    "a-conv": Recipe(client_learning_rate=3e-4, server_learning_rate=3e-3, local_epochs=3),
    "a-lstm": Recipe(client_learning_rate=3e-4, server_learning_rate=3e-3),
}


def _rate(meaning: str) -> Any:
    return number(None, meaning, 1e-8, 10.0, unset=BY_NETWORK)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Options of system A; those that are None are the network's own (`RECIPES`)."""

    networks: tuple[str, ...] = words(NETWORKS, "which of a-dense, a-conv, a-lstm", NETWORKS)
    engine: str | None = word(
        None,
        "tff, own (the project's round engine) or both",
        tuple(ENGINES),
        unset="tff where it is installed, else own",
    )
    splits: tuple[str, ...] = words(
        SPLITS, "random, speaker or both: the test speakers are heard in training, or not", SPLITS
    )
    features: str = word(
        "standard",
        "standard, or as-published: the filter bank an octave low, no chroma",
        ("standard", "as-published"),
    )
    scale: str = word(
        "standard", "standard: mean 0 and deviation 1 over the training part, or none", ("standard", "none")
    )
    epochs: int = whole(20, "epochs of central training", most=10_000, quick=2)
    rounds: int = whole(20, "rounds of the settings and of the part speakers", most=10_000, quick=1)
    clients_rounds: int = whole(10, "rounds of each number of clients", most=10_000, quick=1)
    client_counts: tuple[int, ...] = quick_constant(tuple(range(1, MAX_CLIENTS + 1)), quick=(1, 4))
    batch: int = whole(20, "utterances in a batch", most=10_000)
    alpha: float = number(0.5, "of the Dirichlet partition: small is skewed", 1e-3, 10_000)
    dropout: float | None = number(None, "share of values dropped", 0.0, 0.95, unset=BY_NETWORK)
    activation: str | None = word(
        None, "relu, tanh, elu or linear", ("relu", "tanh", "elu", "linear"), unset=BY_NETWORK
    )
    learning_rate: float | None = _rate("Adam's, of central training")
    client_learning_rate: float | None = _rate("Adam's on the clients")
    server_learning_rate: float | None = _rate("Adam's on the server")
    server_epsilon: float | None = number(None, "of Adam on the server", 1e-12, 1.0, unset=BY_NETWORK)
    local_epochs: int | None = whole(None, "a client's epochs in a round", most=100, unset=BY_NETWORK, quick=1)

    def __post_init__(self) -> None:
        if self.engine not in (None, "own"):
            require_python()

    @property
    def engines(self) -> tuple[str, ...]:
        """The engines to run: "tff", "own" or both."""
        if self.engine is None:
            return ("own",) if find_python() is None else ("tff",)
        return ("tff", "own") if self.engine == "both" else (self.engine,)

    @property
    def engine_note(self) -> str:
        """What the report says of the choice of engine."""
        if self.engine is not None:
            return f"{ENGINES[self.engine]}, as asked for"
        absent = ", because TensorFlow Federated is not installed (`make setup-tff`)"
        return ENGINES[self.engines[0]] + (absent if self.engines == ("own",) else "")

    @property
    def spec(self) -> ShortTermSpec:
        """The 34 short-term features."""
        return ShortTermSpec(as_published=self.features == "as-published")

    def recipe(self, network: str) -> Recipe:
        """Return a network's recipe with the options that replace parts of it."""
        chosen = {name: getattr(self, name) for name in asdict(RECIPES[network])}
        return replace(RECIPES[network], **{name: value for name, value in chosen.items() if value is not None})


def needs(readings: Mapping[str, Reading]) -> None:
    """Raise CorpusError where the corpora together lack one of the four emotions."""
    present = {u.label for u in pooled(readings, LABELS)}
    missing = [label for label in LABELS if label not in present]
    if missing:
        raise CorpusError(
            f"no utterance of {', '.join(readings)} is labelled {' or '.join(missing)}; system A needs "
            f"{', '.join(LABELS)}: add a corpus that has it with --corpus NAME=PATH"
        )


def check_speakers(study: Study, settings: Settings) -> None:
    """Raise CorpusError where a split or part needs speakers that a corpus does not name."""
    for name, reading in study.readings.items():
        speakers = [u.speaker for u in pooled({name: reading}, LABELS)]
        known = {speaker for speaker in speakers if speaker is not None}
        if "speaker" in settings.splits and (len(known) < 2 or None in speakers):
            raise CorpusError(
                f"corpus {name} names {len(known)} speaker(s) for its {len(speakers)} utterances, a split by speaker "
                "needs 2 and a name for each: give --option splits=random"
            )
        if "speakers" in study.parts and None in speakers:
            raise CorpusError(f"corpus {name} does not name all speakers: leave out the part speakers with --part")


def read(study: Study, settings: Settings) -> Examples:
    """Return all corpora's `(n, 100, 34)` features, unscaled; the log names recordings that cannot be read."""
    utterances, features = study.extract(pooled(study.readings, LABELS), settings.spec)
    counts = Counter(dict.fromkeys(LABELS, 0) | Counter(str(u.label) for u in utterances))
    rarest = min(LABELS, key=counts.__getitem__)
    if counts[rarest] < FOLDS:
        raise CorpusError(f"{counts[rarest]} readable utterances are {rarest}, system A needs {FOLDS} of each emotion")
    x = np.stack(features).astype(np.float32)
    return Examples(utterances=utterances, x=x, y=classes_of(utterances, LABELS), labels=LABELS)


def divide(utterances: Sequence[Utterance], kind: str, *, seed: int) -> Fold:
    """Return a fifth of every corpus for the test: "random" stratified by label, or "speaker" unheard speakers."""
    tested: set[str] = set()
    for name in sorted({u.corpus for u in utterances}):
        own = [u for u in utterances if u.corpus == name]
        folds = FOLDS if kind == "random" else min(FOLDS, len({u.speaker for u in own}))
        split_by = splits.at_random if kind == "random" else splits.by_speaker
        tested |= set(split_by(own, folds=folds, seed=seed).folds[0].test)
    train, test = (tuple(u.id for u in utterances if (u.id in tested) == side) for side in (False, True))
    return Fold(name=kind, train=train, test=test)


def majority(y: Rows) -> float:
    """Return the accuracy of always answering the most frequent class."""
    return float(np.bincount(y).max() / len(y))


def random_clients(rows: Rows, clients: int, *, seed: int) -> list[Rows]:
    """Return `clients` parts of `rows`, drawn without replacement, alike in size to one."""
    _enough(len(rows), clients)
    return [np.sort(part) for part in np.array_split(np.random.default_rng(seed).permutation(rows), clients)]


def emotion_clients(rows: Rows, y: Rows) -> list[Rows]:
    """Return one part for each class of `y` among `rows`: a client hears a single emotion."""
    return [rows[y[rows] == label] for label in np.unique(y[rows])]


def speaker_clients(rows: Rows, speakers: Sequence[str | None]) -> list[Rows]:
    """Return one part for each speaker among `rows`, in the order of their names."""
    names = np.array([speaker or "" for speaker in speakers])[rows]
    return [rows[names == speaker] for speaker in sorted(set(names.tolist()))]


def dirichlet_clients(rows: Rows, y: Rows, clients: int, *, alpha: float, seed: int) -> list[Rows]:
    """Return `clients` parts whose shares of every class are drawn from a symmetric Dirichlet distribution.

    A small `alpha` gives clients with few emotions, a large one clients that are alike (Hsu et al., 2019).
    An empty client gets one utterance of the largest.
    """
    _enough(len(rows), clients)
    if not (np.isfinite(alpha) and alpha > 0):
        raise ConfigError(f"alpha is {alpha}, it must be positive: 0.1 is skewed, 100 nearly even")
    draw = np.random.default_rng(seed)
    hands: list[list[int]] = [[] for _ in range(clients)]
    for label in np.unique(y[rows]):
        mixed = draw.permutation(rows[y[rows] == label])
        shares = draw.dirichlet(np.full(clients, alpha))
        cuts = np.rint(np.cumsum(shares)[:-1] * len(mixed)).astype(np.int64)
        for hand, part in zip(hands, np.split(mixed, cuts), strict=True):
            hand.extend(part.tolist())
    for hand in hands:
        if not hand:
            hand.append(max(hands, key=len).pop())
    return [np.sort(np.array(hand, np.int64)) for hand in hands]


def _enough(rows: int, clients: int) -> None:
    if clients < 1 or rows < clients:
        raise ConfigError(f"{rows} utterances cannot be dealt to {clients} clients: every client needs one")
