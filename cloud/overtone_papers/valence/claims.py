"""The paper's claims, read on our figures: a difference counts where it is larger than two standard errors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from overtone_papers.common.report import Choice, Claim
from overtone_papers.valence.experiment import Result
from overtone_papers.valence.tables import PAPER, over_seeds

Results = Mapping[str, Sequence[Result]]
LEAST_PAIRS = 3
QUICK = "quick run: too little training and one fold, no evidence either way"
TRANSFER = " (the networks differ in size and rates too, as in the paper's table 1)"


@dataclass(frozen=True, kw_only=True)
class Difference:
    """The mean of one network's accuracy of five classes less another's over equal folds and seeds, in points."""

    mean: float
    error: float | None
    pairs: int

    @property
    def verdict(self) -> bool | None:
        """True for more, False for less, None for what two standard errors cover or too few pairs tell."""
        if self.error is None or self.pairs < LEAST_PAIRS or abs(self.mean) <= 2 * self.error:
            return None
        return self.mean > 0

    def __str__(self) -> str:
        error = "" if self.error is None else f" +- {self.error:.1f} (standard error)"
        return f"{self.mean:+.1f} points{error} over {self.pairs} pair{'' if self.pairs == 1 else 's'} of trainings"


def difference(results: Results, one: str, other: str) -> Difference | None:
    """Return how much better `one` is than `other`; None where one of them was not trained."""
    if one not in results or other not in results:
        return None
    theirs = {(r["fold"], r["seed"]): r["figures"]["acc5"] for r in results[other]}
    keys = ((r, (r["fold"], r["seed"])) for r in results[one])
    gains = np.array([100 * (r["figures"]["acc5"] - theirs[key]) for r, key in keys if key in theirs])
    error = float(gains.std(ddof=1) / np.sqrt(len(gains))) if len(gains) > 1 else None
    return Difference(mean=float(gains.mean()), error=error, pairs=len(gains))


def claims(results: Results, *, quick: bool, unlabelled_hours: float, rated: bool) -> tuple[Claim, ...]:
    """Return the paper's claims with what our figures say of them."""
    speech = f"{unlabelled_hours:.2g} h of unlabelled speech" if unlabelled_hours else "no unlabelled speech given"
    found = [
        *_compared(results, "b-basic-dcgan", "b-basic-cnn", "the DCGAN's unlabelled speech improves the CNN", speech),
        *_compared(
            results,
            "b-multitask-dcgan",
            "b-multitask-cnn",
            "unlabelled speech improves the multitask network too",
            speech,
        ),
        *_no_gain(results, "b-multitask-cnn", "b-basic-cnn", "activation as a second task does not help the CNN"),
        *_no_gain(results, "b-multitask-dcgan", "b-basic-dcgan", "nor does it help the DCGAN"),
        *_absolute(results, rated),
        *_correlates(results),
    ]
    if quick:
        return tuple(claim.undecided(QUICK) for claim in found)
    return tuple(found)


def _compared(results: Results, one: str, other: str, claim: str, note: str) -> list[Claim]:
    gain = difference(results, one, other)
    if gain is None:
        return []
    ours = f"{gain}; {note}{TRANSFER}"
    return [Claim(claim=claim, paper=f"{_paper_gain(one, other):+.2f} points", ours=ours, holds=gain.verdict)]


def _no_gain(results: Results, one: str, other: str, claim: str) -> list[Claim]:
    """A claim that something does not help fails where it clearly helps, and holds where it clearly harms."""
    gain = difference(results, one, other)
    if gain is None:
        return []
    holds = None if gain.verdict is None else not gain.verdict
    paper = f"{_paper_gain(one, other):+.2f} points"
    return [Claim(claim=claim, paper=paper, ours=f"{gain}{TRANSFER}", holds=holds)]


def _absolute(results: Results, rated: bool) -> list[Claim]:
    if not results:
        return []
    best = max(results, key=lambda network: over_seeds(results[network], "acc5")[0])
    acc5, acc3 = (100 * over_seeds(results[best], name)[0] for name in ("acc5", "acc3"))
    chance = 100 * float(np.mean([r["figures"]["chance5"] for r in results[best]]))
    labels = "labels rated by people" if rated else "labels that our table sets by category, not ratings by people"
    ours = f"{best[2:]}: {acc5:.1f} % and {acc3:.1f} %, chance of five {chance:.1f} %; {labels}, so not comparable"
    paper = "BasicDCGAN: 43.88 % and 49.80 % on IEMOCAP"
    # Other speech and other labels: nearness to the paper's number would prove nothing.
    return [Claim(claim="valence in five and three classes", paper=paper, ours=ours, holds=None)]


def _correlates(results: Results) -> list[Claim]:
    if "b-basic-dcgan" not in results:
        return []
    values = np.array([r["figures"]["rho"] for r in results["b-basic-dcgan"]])
    error = float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) >= LEAST_PAIRS else None
    mean = float(values.mean())
    holds = None if error is None or abs(mean) <= 2 * error else mean > 0
    spread = "" if error is None else f" +- {error:.3f} (standard error)"
    ours = f"rho {mean:.3f}{spread} over {len(values)} trainings"
    claim = "BasicDCGAN's expected valence correlates with the ratings"
    return [Claim(claim=claim, paper="rho .2618, p < .001", ours=ours, holds=holds)]


def _paper_gain(one: str, other: str) -> float:
    return PAPER[one][0] - PAPER[other][0]


CHOICES = (
    Choice(
        what="hop of the spectrogram",
        chosen="256 samples (16 ms); a crop of 128 frames is 2.0 s, one of 64 frames 1.0 s",
        why="the paper gives the window (1024) alone",
    ),
    Choice(
        what="rows of the spectrogram",
        chosen="513 bins averaged in groups of four: 128 rows of 62.5 Hz up to 8 kHz",
        why='the paper says "0-11 kHz", which sound at 16 kHz does not have',
    ),
    Choice(
        what="scale of the spectrogram",
        chosen="decibels below the recording's loudest point, -80..0, as -1..1",
        why="not given; it is the range of the generator's tanh",
    ),
    Choice(
        what="centre of a crop",
        chosen="a random point of a random word (IEMOCAP's alignment, CTM files), else a random voiced frame; one crop "
        "an epoch; validation and test crops are drawn once",
        why="as in the paper; other corpora have no word times",
    ),
    Choice(
        what="labels of corpora without ratings",
        chosen="a table of valence and activation by category and intensity (overtone_models/labels.py), set by hand",
        why="figures on it say how well categories are told apart along valence, not how people rate it",
    ),
    Choice(what="filters of the four convolutions", chosen="the same number in each", why="table 1 gives one number"),
    Choice(
        what="activations, fully connected layer, noise",
        chosen="leaky ReLU 0.2 in the discriminator, ReLU in the generator; 128 units (--option dense); 100 values",
        why="not given; usual for a DCGAN",
    ),
    Choice(
        what="batch normalisation",
        chosen="in the generator alone",
        why="in a discriminator that also classifies, real, generated and labelled batches would share statistics",
    ),
    Choice(
        what="real or generated",
        chosen="told from the last convolution, not from the fully connected layer",
        why="the paper attaches that layer for the emotions",
    ),
    Choice(
        what="optimiser",
        chosen="Adam with table 1's rate, one each for generator, discriminator, valence and activation, which take "
        "turns as in the paper; first moment 0.5 for the two adversaries",
        why="not given",
    ),
    Choice(
        what="cross entropy of five classes",
        chosen="softmax and categorical cross entropy with the soft label",
        why="equation 1 is binary; the paper takes the outputs for one distribution",
    ),
    Choice(
        what="ratings between classes",
        chosen="shared between the two nearest by distance (4.25: .75 and .25); only an exact half counts either way, "
        "under the answer where it is right, else under the nearer class",
        why="the paper gives the example of 4.5",
    ),
    Choice(
        what="unlabelled part",
        chosen="the folders given, and the training speakers' recordings without their labels",
        why="the paper uses AMI and IEMOCAP; nobody who validates or tests is heard here, which it does not say",
    ),
    Choice(
        what="oversampling",
        chosen="rarer classes of valence are repeated until all are even; an epoch is a pass over that",
        why='"more even" in the paper',
    ),
    Choice(
        what="cost of a search trial",
        chosen="equal for all (--option trial_cost; 0 trains each to its end), chosen on the first fold's validation "
        "speakers; draws of which one batch costs more are drawn again",
        why="the number of draws is not given; short trials favour small networks",
    ),
)
"""What the paper leaves open."""
