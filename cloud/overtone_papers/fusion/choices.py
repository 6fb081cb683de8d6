"""What the fusion paper's text leaves open, and how it was chosen."""

from overtone_papers.common.report import Choice
from overtone_papers.fusion.settings import Settings


def choices(settings: Settings, encoder: str) -> tuple[Choice, ...]:
    """Return what the paper's text leaves open, and how it was chosen here."""
    return (
        Choice(what="text features", chosen=encoder, why="any local encoder can be named; the paper has BERT-base"),
        Choice(
            what="split of the 232 dimensions",
            chosen="104 audio + 128 text",
            why="the text's first layer has 128; both convolutions of a branch are as wide as its mean",
        ),
        Choice(
            what="kernels, activations",
            chosen="5 frames for audio, 3 tokens for text, ReLU",
            why="the paper's figure 1 has them, its text does not",
        ),
        Choice(
            what="batch and epochs",
            chosen=f"batch {settings.batch}, {settings.epochs} epochs, {settings.fusion_epochs} for fusions that start "
            "from trained branches; no early stopping",
            why="the paper chose epochs on the folds it reports; here they are fixed beforehand",
        ),
        Choice(
            what="padding",
            chosen=f"zeros to the longest track (at most {settings.max_s:g} s and {settings.max_tokens} tokens), "
            "masked in every layer and in the batch statistics",
            why="the paper masks padding; like this no figure depends on how long it is",
        ),
        Choice(
            what="acoustic features",
            chosen="openSMILE" if settings.audio == "opensmile" else "own descriptors (features/acoustic.py)",
            why="openSMILE's licence forbids commercial products; --option audio=opensmile takes it",
        ),
        Choice(
            what="frozen branches",
            chosen="run as at inference, without dropout",
            why="their outputs are then computed once, and a pre-trained fusion takes seconds",
        ),
        Choice(
            what="warm start",
            chosen="trains the last convolutions, the text's last batch normalisation and the layers after merging "
            f"at {settings.fine_tuning_rate:g}",
            why="the paper names one rate for fine-tuning; the logits of late fusion's branches stay frozen",
        ),
        Choice(
            what="scripts",
            chosen="the corpus' sentences in halves; on IEMOCAP the third script is tested only; where a corpus names "
            "no sentence, equal transcripts are one script",
            why="the paper describes IEMOCAP only",
        ),
    )
