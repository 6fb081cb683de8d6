"""What paper C leaves open, and what its "about 50 % validation" turns out to measure."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from overtone_cloud.corpora.utterance import Reading
from overtone_papers.common.report import Choice, Claim
from overtone_papers.tess.tables import Result, Results, accuracy, late, mean_of

ENOUGH_EPOCHS = 30
"""Below that the paper's curve is still rising, and a quick run says nothing of its level."""


def choices(scale: str, epochs: int) -> tuple[Choice, ...]:
    """Return what the paper leaves open."""
    return (
        Choice(what="dense layers", chosen="128 and 64, relu; dropout 0.2", why="the paper says only 'dense layers'"),
        Choice(what="learning rate", chosen="0.001", why="Adam's default in Keras; none is given"),
        Choice(what="scaling of the features", chosen=scale, why="the paper names none; --option scale=standard"),
        Choice(
            what="which fifth is held back",
            chosen="all three: random, tail, speaker",
            why="a validation split of 20 % is all it says, and the figure hangs on which",
        ),
        Choice(
            what="which epoch counts",
            chosen=f"the last of {epochs}",
            why="early stopping is mentioned, but the log shows every epoch",
        ),
        Choice(
            what="window of the features",
            chosen="3 s from 0.5 s on, at 22,050 Hz",
            why="'standardised duration and rate': the values of the common TESS notebooks",
        ),
    )


def claims(readings: Mapping[str, Reading], voices: Mapping[str, Any], results: Results) -> tuple[Claim, ...]:
    """Return the paper's claims as they stand here; they are about TESS and need it."""
    found = results.get("tess", {})
    made: list[Claim] = []
    if "tess" in readings:
        made.append(_balance(readings["tess"]))
    if "tess" in voices:
        made.append(_loudness(voices["tess"]["voices"]))
    if found:
        made.append(_training(found))
    if "tail" in found:
        made.append(_half(found))
    if {"random", "tail"} <= set(found):
        made.append(_too_complex(found))
    return tuple(made)


def _balance(reading: Reading) -> Claim:
    counts = [sum(u.label == label for u in reading.labelled) for label in {u.label for u in reading.labelled}]
    return Claim(
        claim="The emotions are about equally frequent",
        paper="a count plot",
        ours=f"{'' if min(counts) == max(counts) else f'{min(counts)} to '}{max(counts)} utterances per emotion",
        holds=max(counts) <= 1.2 * min(counts),
    )


def _loudness(heard: Mapping[str, Mapping[str, float]]) -> Claim:
    """Judge by the numbers behind the pictures: level, and energy above 2 kHz."""
    if not {"angry", "sad", "neutral"} <= set(heard):
        return Claim(claim="Angry is loud and broad, sad soft and low", paper="pictures", ours="not there", holds=None)
    angry, sad, neutral = heard["angry"], heard["sad"], heard["neutral"]
    said = ", ".join(
        f"{name} {v['level_dbfs']:.1f} dBFS with {100 * v['high_share']:.0f} % above 2 kHz"
        for name, v in (("angry", angry), ("sad", sad), ("neutral", neutral))
    )
    louder = angry["level_dbfs"] > max(sad["level_dbfs"], neutral["level_dbfs"]) + 3.0
    broader = angry["high_share"] > 1.5 * max(sad["high_share"], neutral["high_share"])
    return Claim(
        claim="Angry speech is loud with energy over a broad range, sad and neutral speech soft and low",
        paper="waveforms and spectrograms of single clips",
        ours=said,
        holds=louder and broader,
    )


def _training(found: Mapping[str, Sequence[Result]]) -> Claim:
    reached = {kind: mean_of(rs, lambda r: r["history"]["accuracy"][-1]) for kind, rs in found.items()}
    return Claim(
        claim="The network learns its training data",
        paper="training accuracy above 90 %",
        ours=", ".join(f"{kind} {100 * value:.1f} %" for kind, value in reached.items()),
        holds=min(reached.values()) > 0.9,
    )


def _half(found: Mapping[str, Sequence[Result]]) -> Claim:
    last = late(found["tail"])
    enough = min(len(r["history"]["val_loss"]) for r in found["tail"]) >= ENOUGH_EPOCHS
    losses = [r["history"]["val_loss"][-1] for r in found["tail"]]
    others = [f"{kind} {100 * accuracy(found[kind]):.1f} %" for kind in ("random", "speaker") if kind in found]
    return Claim(
        claim="Validation accuracy stays near one half and fluctuates",
        paper="about 50 %; its log shows 54 and 45 % with losses of 3.3 and 3.5",
        ours=f"in the tail split, {100 * float(np.mean(last)):.1f} % on average over the last epochs "
        f"({100 * min(last):.1f} to {100 * max(last):.1f}), the loss at the end {float(np.mean(losses)):.1f}"
        f"{'; in the others: ' if others else ''}{', '.join(others)}",
        holds=0.35 <= float(np.mean(last)) <= 0.65 if enough else None,
    )


def _too_complex(found: Mapping[str, Sequence[Result]]) -> Claim:
    random, tail = accuracy(found["random"]), accuracy(found["tail"])
    known = 100 * found["tail"][0]["heard_before"]
    return Claim(
        claim="The gap between training and validation comes from a network too complex for its data",
        paper="overfitting; more regularisation is proposed",
        ours=f"the same network reaches {100 * random:.1f} % in a random split and {100 * tail:.1f} % in the tail, "
        f"where training knows speaker and emotion together of {known:.0f} % of the utterances: the gap is the split's",
        holds=random - tail < 0.1,
    )
