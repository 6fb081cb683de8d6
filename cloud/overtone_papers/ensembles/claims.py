"""The ensembles paper's claims checked on this data, and what it leaves open."""

from collections.abc import Mapping, Sequence
from typing import Any

from overtone_papers.common.report import Choice, Claim, Part, Verdict, choices_of, claim, judged
from overtone_papers.common.tables import mean_of
from overtone_papers.ensembles.networks import RECIPES, Settings

Figures = Mapping[str, Any]
Evidence = Mapping[str, list[Figures]]
"""Results on the random split, one per seed, by network and by "part: title"."""

FEW = 0.005
"""Differences below half a per cent do not count."""
CHOICES = """
calm (RAVDESS) | {calm} | the paper has seven classes; --option calm=merge
when a training ends | by the loss of an inner part (an eighth of the training part); epochs: {epochs}
  | neither epochs nor stopping are given; the reported part must not decide
batch size | 16 for CNN2D-LSTM and fused, 32 for the others | none is given
standard scaler of the log-mel | {scaler}
  | 'mean of each feature': by band (row), or by band and frame (cell), constant where all are padded
axis that the LSTM walks along | {axis} | 3,800,855 parameters are those of the mel axis; --option axis=time
1-D LSTM-CNN: filters | 64 | not in table 8; the first block of CNN1D-LSTM has as many
2-D LSTM-CNN: convolution | along the LSTM's states, 1-D, 128 then 256 filters
  | the LSTM gives (steps, units), which is what a 1-D convolution takes
transformer block | 8 heads of 64, feed-forward 2048, flattened into the classifier: 2,107,527 parameters
  | the block of Vaswani et al. and the published 2.1 M agree with kernels of 3 and a flattened output
what the stacking's perceptron learns from
  | the training part's probabilities, stopped by the inner part; binary losses weighted by class
  | not given; one class against six needs weights
genetic algorithm
  | 50 chromosomes, 60 generations, 5 starts, tournament of 3, 10 % elite, searched on the inner part
  | 'chosen experimentally'; the paper searched on the reported set, which stands beside it
augmentation | {augment} | none is mentioned; --option augment=masks
"""


def choices(settings: Settings) -> tuple[Choice, ...]:
    """Return what the paper leaves open."""
    own = ", ".join(f"{recipe.title} {recipe.epochs}" for recipe in RECIPES.values())
    return choices_of(
        CHOICES,
        calm=settings.calm,
        epochs=f"at most {settings.epochs}" if settings.epochs else own,
        scaler=settings.scaler,
        axis=settings.axis,
        augment="masks and shifts of the log-mel" if settings.augment == "masks" else "none",
    )


def claims(parts: Sequence[Part], *, quick: bool) -> tuple[Claim, ...]:
    """Return the paper's claims that the parts at hand can judge, on the random split; a quick run judges none."""
    evidence: dict[str, list[Figures]] = {}
    for part in parts:
        for result in part.figures.get("results", []):
            if result["split"].startswith("random"):
                _add(evidence, part.name, result)
    scaling = [_scaling("CNN1D-LSTM", "62.2 against 59.3 %"), _scaling("CNN2D-LSTM", "66.2 against 65.1 %")]
    readers = (_best, _cnn1d, _transformer, _means, *scaling, _voting, _stacking, _origins)
    return (*judged(readers, evidence, quick=quick), *judged((_speakers,), parts, quick=quick))


def _add(evidence: dict[str, list[Figures]], part: str, result: Figures) -> None:
    plain = result.get("scaled", True) and "used" not in result.get("options", {})
    for key in (f"{part}: {result['title']}", *([result["network"]] if plain else [])):
        own = evidence.setdefault(key, [])
        if all(other["seed"] != result["seed"] for other in own):
            own.append(result)


def _means_of(evidence: Evidence, *keys: str, name: str = "accuracy") -> list[float] | None:
    """Return the mean of a figure for each key, None where one of them is missing."""
    return [mean_of(evidence[key], name) for key in keys] if set(keys) <= set(evidence) else None


def _words(names: Sequence[str], values: Sequence[float]) -> str:
    return ", ".join(f"{name} {100 * value:.1f} %" for name, value in zip(names, values, strict=True))


@claim("CNN2D-LSTM is the best single network", "71.4 % against 71.1 % at most")
def _best(evidence: Evidence) -> Verdict | None:
    singles = {key: mean_of(results, "accuracy") for key, results in evidence.items() if key in RECIPES}
    if "e-cnn2d-lstm" not in singles or len(singles) < 2:
        return None
    words = _words([RECIPES[key].title for key in singles], list(singles.values()))
    return words, singles["e-cnn2d-lstm"] >= max(singles.values()) - FEW


@claim("CNN1D-LSTM reaches 62.6 % accuracy and 64.1 % F1", "62.6 % / 64.1 % on four corpora")
def _cnn1d(evidence: Evidence) -> Verdict | None:
    results = evidence.get("e-cnn1d-lstm")
    if results is None:
        return None
    accuracy, f1 = (mean_of(results, name) for name in ("accuracy", "macro_f1"))
    return f"{100 * accuracy:.1f} % / {100 * f1:.1f} % on the corpora at hand", accuracy >= 0.626 and f1 >= 0.641


@claim(
    "The transformer is slightly worse than CNN2D-LSTM and takes half the time",
    "70.1 % against 71.4 %, 2.1 s against 4.1 s",
)
def _transformer(evidence: Evidence) -> Verdict | None:
    networks = ("e-cnn-transformer", "e-cnn2d-lstm")
    accuracies, times = (_means_of(evidence, *networks, name=name) for name in ("accuracy", "inference_s"))
    if accuracies is None or times is None:
        return None
    words = f"{_words(('transformer', 'CNN2D-LSTM'), accuracies)}, {times[0]:.1f} s against {times[1]:.1f} s"
    return words, accuracies[0] <= accuracies[1] and times[0] <= 0.6 * times[1]


@claim("Chroma and mel means add nothing to the MFCC", "62.6 %, with chroma 62.2 %, with both 60.7 %")
def _means(evidence: Evidence) -> Verdict | None:
    inputs = ("MFCC", "MFCC, chroma", "MFCC, chroma, mel")
    values = _means_of(evidence, *(f"1d: CNN1D-LSTM, {words}" for words in inputs))
    if values is None:
        return None
    return _words(("MFCC", "with chroma", "with both"), values), values[0] >= max(values) - FEW


def _scaling(title: str, paper: str) -> Any:
    @claim(f"Scaling helps {title}", paper)
    def read(evidence: Evidence) -> Verdict | None:
        words = ("scaled", "not scaled")
        values = _means_of(evidence, *(f"ablation: {title}, {word}" for word in words))
        return None if values is None else (_words(words, values), values[0] > values[1] + FEW)

    return read


@claim(
    "Voting beats every single network, genetic weights beat the mean",
    "71.4 %, mean 73.2 %, genetic 74.5 % (searched on the reported set)",
)
def _voting(evidence: Evidence) -> Verdict | None:
    values = _means_of(evidence, "mean", "genetic", "genetic-reported")
    if values is None:
        return None
    best = max(mean_of(results, "accuracy") for key, results in evidence.items() if key in RECIPES)
    words = _words(("best single", "mean", "genetic", "on the reported set"), [best, *values])
    return words, values[0] > best and values[1] > values[0]


@claim("Stacking is a little better than CNN2D-LSTM", "72.0 % against 71.4 %")
def _stacking(evidence: Evidence) -> Verdict | None:
    values = _means_of(evidence, "e-stacking", "e-cnn2d-lstm")
    return None if values is None else (_words(("stacking", "CNN2D-LSTM"), values), values[0] > values[1])


@claim("TESS is nearly perfect, RAVDESS is next", "CNN2D-LSTM 99.8 and 67.2 %, ensemble 100 and 75.6 %")
def _origins(evidence: Evidence) -> Verdict | None:
    results = evidence.get("genetic")
    if results is None:
        return None
    ours = {name: mean_of(results, f"origins.{name}.accuracy") for name in results[0]["origins"]}
    goals = {"tess": 0.998, "ravdess": 0.67}
    holds = all(round(ours[name], 3) >= goal for name, goal in goals.items()) if set(goals) <= set(ours) else None
    return _words(list(ours), list(ours.values())), holds


@claim("The figures stand for speakers that the network has not heard", "not examined: speakers are shared")
def _speakers(parts: Sequence[Part]) -> Verdict | None:
    """Judge by the last part that has both splits."""
    for part in reversed(parts):
        results = part.figures.get("results", [])
        shared = [r for r in results if r["split"].startswith("random")]
        unseen = [r for r in results if not r["split"].startswith("random")]
        if shared and unseen:
            best = max(shared, key=lambda r: r["accuracy"])["title"]
            values = [mean_of([r for r in own if r["title"] == best], "accuracy") for own in (shared, unseen)]
            words = f"{best}: {_words(('speakers shared', 'speakers unseen'), values)}"
            return words, values[1] >= values[0] - 0.05
    return None
