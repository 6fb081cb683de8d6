"""What the paper leaves open, and how it was chosen."""

from overtone_papers.common.report import Choice
from overtone_papers.ensembles.recipes import RECIPES
from overtone_papers.ensembles.settings import Settings


def choices(settings: Settings) -> tuple[Choice, ...]:
    """Return what the paper leaves open."""
    longest = {recipe.title: recipe.epochs for recipe in RECIPES.values()}
    epochs = f"at most {settings.epochs}" if settings.epochs else ", ".join(f"{n} {e}" for n, e in longest.items())
    return (
        Choice(what="calm (RAVDESS)", chosen=settings.calm, why="the paper has seven classes; --option calm=merge"),
        Choice(
            what="when a training ends",
            chosen=f"by the loss of an inner part (an eighth of the training part); epochs: {epochs}",
            why="neither epochs nor stopping are given; the reported part must not decide",
        ),
        Choice(
            what="batch size",
            chosen="16 for CNN2D-LSTM and fused, 32 for the others",
            why="none is given",
        ),
        Choice(
            what="standard scaler of the log-mel",
            chosen=settings.scaler,
            why="'mean of each feature': by band (row), or by band and frame (cell), constant where all are padded",
        ),
        Choice(
            what="axis that the LSTM walks along",
            chosen=settings.axis,
            why="3,800,855 parameters are those of the mel axis; --option axis=time",
        ),
        Choice(
            what="1-D LSTM-CNN: filters",
            chosen="64",
            why="not in table 8; the first block of CNN1D-LSTM has as many",
        ),
        Choice(
            what="2-D LSTM-CNN: convolution",
            chosen="along the LSTM's states, 1-D, 128 then 256 filters",
            why="the LSTM gives (steps, units), which is what a 1-D convolution takes",
        ),
        Choice(
            what="transformer block",
            chosen="8 heads of 64, feed-forward 2048, flattened into the classifier: 2,107,527 parameters",
            why="the block of Vaswani et al. and the published 2.1 M agree with kernels of 3 and a flattened output",
        ),
        Choice(
            what="what the stacking's perceptron learns from",
            chosen="the training part's probabilities, stopped by the inner part; binary losses weighted by class",
            why="not given; one class against six needs weights",
        ),
        Choice(
            what="genetic algorithm",
            chosen="50 chromosomes, 60 generations, 5 starts, tournament of 3, 10 % elite, searched on the inner part",
            why="'chosen experimentally'; the paper searched on the reported set, which stands beside it",
        ),
        Choice(
            what="augmentation",
            chosen="masks and shifts of the log-mel" if settings.augment else "none",
            why="none is mentioned; --option augment=masks",
        ),
    )
