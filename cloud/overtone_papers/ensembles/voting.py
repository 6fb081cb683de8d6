"""Weighted average voting: the mean, and weights that a genetic algorithm finds (pygad).

The operators are the paper's: tournament selection, average crossover over a share of the genes, mutation of one
gene, elitism; every chromosome's weights sum to 1 and its fitness is the macro F1.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from overtone_cloud.errors import ConfigError
from overtone_models import metrics
from overtone_models.front_end import F32
from overtone_papers.common.data import Rows

F64 = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class GeneticSettings:
    """The algorithm's own numbers, which the paper says were chosen by experiment."""

    population: int = 50
    generations: int = 60
    restarts: int = 5
    tournament: int = 3
    crossover_probability: float = 0.9
    crossover_genes: float = 0.5
    mutation_probability: float = 0.3
    elitism: float = 0.1

    @property
    def elite(self) -> int:
        """Chromosomes that live on unchanged."""
        return max(1, round(self.elitism * self.population))


class Weighting(NamedTuple):
    """Weights that sum to 1, and their macro F1 on the set they were searched on."""

    weights: F64
    fitness: float


def combined(members: F32, weights: F64 | None = None) -> F32:
    """Return the `(n, K)` average of `(members, n, K)` probabilities; without weights the mean."""
    result: F32 = np.average(members, axis=0, weights=weights).astype(np.float32)
    return result


def macro_f1(predicted: Rows, y: Rows, classes: int) -> float:
    """Return the mean F1 of the classes that occur in `y`."""
    return metrics.macro_f1(metrics.confusion_matrix(predicted, y, classes))


def search_weights(members: F32, y: Rows, *, seed: int, settings: GeneticSettings | None = None) -> Weighting:
    """Return the best weights of several searches with different first populations."""
    genetic = settings or GeneticSettings()
    runs = [_search(members, y, seed=1000 * seed + start, settings=genetic) for start in range(genetic.restarts)]
    return max(runs, key=lambda weighting: weighting.fitness)


def normalised(genes: F64) -> F64:
    """Return chromosomes `(..., genes)` that sum to 1; equal weights where all genes are 0."""
    clipped = np.maximum(genes, 0.0)
    total = clipped.sum(-1, keepdims=True)
    shares: F64 = np.where(total > 0, clipped / np.where(total > 0, total, 1.0), 1.0 / genes.shape[-1])
    return shares


def _search(members: F32, y: Rows, *, seed: int, settings: GeneticSettings) -> Weighting:
    try:
        import pygad
    except ModuleNotFoundError as error:
        raise ConfigError("the library pygad is not installed; pip install 'overtone[papers]'") from error
    generator = np.random.default_rng(seed)
    classes = members.shape[2]

    def fitness(_ga: Any, genes: F64, _index: int) -> float:
        return macro_f1(np.tensordot(genes, members, 1).argmax(1), y, classes)

    algorithm = pygad.GA(
        num_generations=settings.generations,
        num_parents_mating=max(2, settings.population // 2),
        fitness_func=fitness,
        initial_population=normalised(generator.random((settings.population, len(members)))),
        parent_selection_type="tournament",
        K_tournament=settings.tournament,
        keep_elitism=settings.elite,
        crossover_type=_crossover(generator, settings),
        mutation_type=_mutation(generator, settings),
        random_seed=seed,
        suppress_warnings=True,
    )
    algorithm.run()
    genes, best, _ = algorithm.best_solution()
    return Weighting(weights=normalised(np.asarray(genes, np.float64)), fitness=float(best))


def _crossover(generator: np.random.Generator, settings: GeneticSettings) -> Any:
    """Return average crossover: on a share of the genes the child is the mean of its parents."""

    def cross(parents: F64, size: Sequence[int], _ga: Any) -> F64:
        count, genes = size
        averaged = max(1, round(settings.crossover_genes * genes))
        children = np.empty((count, genes))
        for row in range(count):
            one, other = parents[row % len(parents)], parents[(row + 1) % len(parents)]
            children[row] = one
            if generator.random() < settings.crossover_probability:
                places = generator.permutation(genes)[:averaged]
                children[row, places] = (one[places] + other[places]) / 2
        return normalised(children)

    return cross


def _mutation(generator: np.random.Generator, settings: GeneticSettings) -> Any:
    """Return the mutation that puts a random number of 0..1 in the place of one gene."""

    def mutate(children: F64, _ga: Any) -> F64:
        for child in children:
            if generator.random() < settings.mutation_probability:
                child[generator.integers(len(child))] = generator.random()
        return normalised(children)

    return mutate
