"""What system A's options choose: networks, engines, splits, and what the paper leaves open."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from overtone_cloud.errors import ConfigError
from overtone_models.features.short_term import ShortTermSpec
from overtone_papers.common.study import Study
from overtone_papers.federated.tff_engine import find_python, require_python

NETWORKS = ("a-dense", "a-conv", "a-lstm")
ENGINES = ("tff", "own", "both")
SPLITS = ("random", "speaker")
SCALES = ("standard", "none")
ACTIVATIONS = ("relu", "tanh", "elu", "linear")
MAX_CLIENTS = 8
QUICK_CLIENTS = (1, 4)


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
        """Return what the network's builder is given."""
        return {"activation": self.activation} | ({} if network == "a-lstm" else {"dropout": self.dropout})


RECIPES = {
    "a-dense": Recipe(learning_rate=3e-4, client_learning_rate=1e-4, server_learning_rate=1e-3, local_epochs=3),
    "a-conv": Recipe(client_learning_rate=3e-4, server_learning_rate=3e-3, local_epochs=3),
    "a-lstm": Recipe(client_learning_rate=3e-4, server_learning_rate=3e-3),
}

OPTIONS = {
    "networks": ("which of a-dense, a-conv, a-lstm", ",".join(NETWORKS)),
    "engine": ("tff, own (the project's round engine) or both", "tff where it is installed, else own"),
    "splits": ("random, speaker or both: the test speakers are heard in training, or not", "random,speaker"),
    "features": ("standard, or as-published: the filter bank an octave low, no chroma", "standard"),
    "scale": ("standard: mean 0 and deviation 1 over the training part, or none", "standard"),
    "epochs": ("epochs of central training; --quick takes 2", "20"),
    "rounds": ("rounds of the settings and of the part speakers; --quick takes 1", "20"),
    "clients-rounds": ("rounds of each number of clients; --quick takes 1", "10"),
    "batch": ("utterances in a batch", "20"),
    "alpha": ("of the Dirichlet partition: small is skewed", "0.5"),
    "dropout": ("share of values dropped", "by network"),
    "activation": ("relu, tanh, elu or linear", "by network"),
    "learning-rate": ("Adam's, of central training", "by network"),
    "client-learning-rate": ("Adam's on the clients", "by network"),
    "server-learning-rate": ("Adam's on the server", "by network"),
    "server-epsilon": ("of Adam on the server", "by network"),
    "local-epochs": ("a client's epochs in a round; --quick takes 1", "by network"),
}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """One study's choices."""

    networks: tuple[str, ...]
    engines: tuple[str, ...]
    engine_note: str
    splits: tuple[str, ...]
    features: ShortTermSpec
    scale: str
    epochs: int
    rounds: int
    clients_rounds: int
    client_counts: tuple[int, ...]
    batch: int
    alpha: float
    recipes: Mapping[str, Recipe]


def settings_of(study: Study) -> Settings:
    """Return the settings of a study; raise ConfigError in one line for an option that cannot be."""
    options = study.options
    engines, note = _engines(options.get("engine"))
    return Settings(
        networks=_several(options, "networks", NETWORKS),
        engines=engines,
        engine_note=note,
        splits=_several(options, "splits", SPLITS),
        features=ShortTermSpec(as_published=_one(options, "features", ("standard", "as-published")) != "standard"),
        scale=_one(options, "scale", SCALES),
        epochs=_number(options, "epochs", 2 if study.quick else 20, int, 1),
        rounds=_number(options, "rounds", 1 if study.quick else 20, int, 1),
        clients_rounds=_number(options, "clients-rounds", 1 if study.quick else 10, int, 1),
        client_counts=QUICK_CLIENTS if study.quick else tuple(range(1, MAX_CLIENTS + 1)),
        batch=_number(options, "batch", 20, int, 1),
        alpha=_number(options, "alpha", 0.5, float, 1e-3),
        recipes={network: _recipe(options, RECIPES[network], quick=study.quick) for network in NETWORKS},
    )


def _recipe(options: Mapping[str, str], recipe: Recipe, *, quick: bool) -> Recipe:
    return replace(
        recipe,
        dropout=_number(options, "dropout", recipe.dropout, float, 0.0, 0.95),
        activation=_one(options, "activation", ACTIVATIONS, recipe.activation),
        learning_rate=_number(options, "learning-rate", recipe.learning_rate, float, 1e-8, 10.0),
        client_learning_rate=_number(options, "client-learning-rate", recipe.client_learning_rate, float, 1e-8, 10.0),
        server_learning_rate=_number(options, "server-learning-rate", recipe.server_learning_rate, float, 1e-8, 10.0),
        server_epsilon=_number(options, "server-epsilon", recipe.server_epsilon, float, 1e-12, 1.0),
        local_epochs=_number(options, "local-epochs", 1 if quick else recipe.local_epochs, int, 1, 100),
    )


def _engines(word: str | None) -> tuple[tuple[str, ...], str]:
    """Return the engines to run and what the report says of the choice."""
    if word is None:
        if find_python() is not None:
            return ("tff",), "TensorFlow Federated"
        note = "the project's own round engine, because TensorFlow Federated is not installed (`make setup-tff`)"
        return ("own",), note
    if word not in ENGINES:
        raise ConfigError(f"option engine is {word!r}; it takes {', '.join(ENGINES)}")
    if word != "own":
        require_python()
    names = {"tff": "TensorFlow Federated", "own": "the project's own round engine", "both": "both engines"}
    return (("tff", "own") if word == "both" else (word,)), f"{names[word]}, as asked for"


def _one(options: Mapping[str, str], name: str, allowed: tuple[str, ...], default: str | None = None) -> str:
    word = options.get(name, default or allowed[0])
    if word not in allowed:
        raise ConfigError(f"option {name} is {word!r}; it takes {', '.join(allowed)}")
    return word


def _several(options: Mapping[str, str], name: str, allowed: tuple[str, ...]) -> tuple[str, ...]:
    text = options.get(name, ",".join(allowed))
    words = tuple(word.strip() for word in text.split(","))
    if not set(words) <= set(allowed) or len(set(words)) != len(words):
        raise ConfigError(f"option {name} is {text!r}; it takes {', '.join(allowed)}, each once")
    return words


def _number(
    options: Mapping[str, str],
    name: str,
    default: Any,
    kind: Callable[[str], Any],
    least: float,
    most: float = 10_000,
) -> Any:
    text = options.get(name)
    if text is None:
        return default
    try:
        value = kind(text)
    except ValueError:
        value = None
    if value is None or not least <= value <= most:
        noun = "a whole number" if kind is int else "a number"
        raise ConfigError(f"option {name} is {text!r}, it must be {noun} from {least:g} to {most:g}")
    return value
