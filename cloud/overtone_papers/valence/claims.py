"""The paper's claims checked against our figures: a difference counts where it is larger than two standard errors."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from overtone_papers.common.report import Claim, Verdict, claim, judged
from overtone_papers.common.tables import mean_of, over_seeds
from overtone_papers.valence.experiment import Result
from overtone_papers.valence.tables import PAPER

LEAST_PAIRS = 3
QUICK = "quick run: too little training and one fold, no evidence either way"
RATED, NOT_RATED = "rated by people", "that our table sets by category, not ratings by people"
TRANSFER = " (the networks differ in size and rates too, as in the paper's table 1)"
CHOICES = """
hop of the spectrogram | 256 samples (16 ms); a crop of 128 frames is 2.0 s, one of 64 frames 1.0 s
  | the paper gives the window (1024) alone
rows of the spectrogram | 513 bins averaged in groups of four: 128 rows of 62.5 Hz up to 8 kHz
  | the paper says "0-11 kHz", which sound at 16 kHz does not have
scale of the spectrogram | decibels below the recording's loudest point, -80..0, as -1..1
  | not given; it is the range of the generator's tanh
centre of a crop | a random point of a random word (IEMOCAP's alignment, CTM files), else a random voiced frame; one
  crop per epoch; validation and test crops are drawn once | as in the paper; other corpora have no word times
labels of corpora without ratings | a table of valence and activation by category and intensity
  (overtone_models/labels.py), set by hand
  | figures on it say how well categories are told apart along valence, not how people rate it
filters of the four convolutions | the same number in each | table 1 gives one number
activations, fully connected layer, noise | leaky ReLU 0.2 in the discriminator, ReLU in the generator; 128 units
  (--option dense); 100 values | not given; usual for a DCGAN
batch normalisation | in the generator alone
  | in a discriminator that also classifies, real, generated and labelled batches would share statistics
real or generated | told from the last convolution, not from the fully connected layer
  | the paper attaches that layer for the emotions
optimiser | Adam with table 1's rate, one each for generator, discriminator, valence and activation, which take turns
  as in the paper; first moment 0.5 for the two adversaries | not given
cross entropy of five classes | softmax and categorical cross entropy with the soft label
  | equation 1 is binary; the paper takes the outputs for one distribution
ratings between classes | shared between the two nearest by distance (4.25: .75 and .25); only an exact half counts
  either way, under the answer where it is right, else under the nearer class | the paper gives the example of 4.5
unlabelled part | the folders given, and the training speakers' recordings without their labels
  | the paper uses AMI and IEMOCAP; nobody who validates or tests is heard here, which it does not say
oversampling | rarer classes of valence are repeated until all are even; an epoch is a pass over that
  | "more even" in the paper
cost of a search trial | equal for all (--option trial-cost; 0 trains each to its end), chosen on the first fold's
  validation speakers; draws of which one batch costs more are drawn again
  | the number of draws is not given; short trials favour small networks
"""
"""What the paper leaves open."""


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """One result per network, fold and seed, the unlabelled hours, and whether people rated all labels."""

    results: Mapping[str, Sequence[Result]]
    unlabelled_hours: float
    rated: bool


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A mean over trainings, or over pairs of them with equal folds and seeds, which is judged by its distance from 0.

    Of two networks it is the gain of accuracy of five classes in points.
    """

    mean: float
    error: float | None
    pairs: int

    @classmethod
    def of(cls, figures: Iterable[float]) -> "Difference":
        """Return mean and standard error of figures; the error of one is None."""
        values = np.array(list(figures))
        error = float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else None
        return cls(mean=float(values.mean()), error=error, pairs=len(values))

    @property
    def verdict(self) -> bool | None:
        """True for more, False for less, None within two standard errors or for too few pairs."""
        if self.error is None or self.pairs < LEAST_PAIRS or abs(self.mean) <= 2 * self.error:
            return None
        return self.mean > 0

    def __str__(self) -> str:
        error = "" if self.error is None else f" +- {self.error:.1f} (standard error)"
        return f"{self.mean:+.1f} points{error} over {self.pairs} pair{'' if self.pairs == 1 else 's'} of trainings"


def claims(evidence: Evidence, *, quick: bool) -> tuple[Claim, ...]:
    """Return the paper's claims with the verdicts of our figures."""
    return judged(READERS, evidence, quick=quick, why=QUICK)


def difference(results: Mapping[str, Sequence[Result]], one: str, other: str) -> Difference | None:
    """Return the gain of `one` over `other`; None where one of them was not trained."""
    if one not in results or other not in results:
        return None
    theirs = {(r["fold"], r["seed"]): r["figures"]["acc5"] for r in results[other]}
    ours = {(r["fold"], r["seed"]): r["figures"]["acc5"] for r in results[one]}
    return Difference.of(100 * (ours[key] - theirs[key]) for key in ours if key in theirs)


def _compared(words: str, one: str, other: str, *, unlabelled: bool) -> Callable[[Evidence], Claim | None]:
    """Return the check of a claim that `one` gains on `other` (with `unlabelled` speech), or that it does not.

    A claim of no gain fails on a clear gain, and holds on a clear loss.
    """

    @claim(words, f"{PAPER[one][0] - PAPER[other][0]:+.2f} points")
    def read(evidence: Evidence) -> Verdict | None:
        gain = difference(evidence.results, one, other)
        if gain is None:
            return None
        if not unlabelled:
            return f"{gain}{TRANSFER}", None if gain.verdict is None else not gain.verdict
        hours = evidence.unlabelled_hours
        speech = f"{hours:.2g} h of unlabelled speech" if hours else "no unlabelled speech given"
        return f"{gain}; {speech}{TRANSFER}", gain.verdict

    return read


@claim("valence in five and three classes", "BasicDCGAN: 43.88 % and 49.80 % on IEMOCAP")
def _absolute(evidence: Evidence) -> Verdict | None:
    results = evidence.results
    if not results:
        return None

    def accuracy(network: str, name: str) -> float:
        return 100 * over_seeds(results[network], lambda group: mean_of(group, f"figures.{name}"))[0]

    best = max(results, key=lambda network: accuracy(network, "acc5"))
    chance = 100 * mean_of(results[best], "figures.chance5")
    words = (
        f"{best[2:]}: {accuracy(best, 'acc5'):.1f} % and {accuracy(best, 'acc3'):.1f} %, chance of five {chance:.1f} "
        f"%; labels {RATED if evidence.rated else NOT_RATED}, so not comparable"
    )
    return words, None  # other speech and other labels: nearness to the paper's number would prove nothing


@claim("BasicDCGAN's expected valence correlates with the ratings", "rho .2618, p < .001")
def _correlates(evidence: Evidence) -> Verdict | None:
    if "b-basic-dcgan" not in evidence.results:
        return None
    rho = Difference.of(r["figures"]["rho"] for r in evidence.results["b-basic-dcgan"])
    spread = "" if rho.pairs < LEAST_PAIRS else f" +- {rho.error:.3f} (standard error)"
    return f"rho {rho.mean:.3f}{spread} over {rho.pairs} trainings", rho.verdict


READERS = (
    _compared("the DCGAN's unlabelled speech improves the CNN", "b-basic-dcgan", "b-basic-cnn", unlabelled=True),
    _compared(
        "unlabelled speech improves the multitask network too", "b-multitask-dcgan", "b-multitask-cnn", unlabelled=True
    ),
    _compared("activation as a second task does not help the CNN", "b-multitask-cnn", "b-basic-cnn", unlabelled=False),
    _compared("nor does it help the DCGAN", "b-multitask-dcgan", "b-basic-dcgan", unlabelled=False),
    _absolute,
    _correlates,
)
