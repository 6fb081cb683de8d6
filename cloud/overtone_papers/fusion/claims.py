"""Which of the fusion paper's claims hold on the corpora at hand, as far as so many utterances can tell."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from overtone_papers.common.report import Claim, Verdict, claim, judged
from overtone_papers.fusion.experiment import LOOK_UP, CorpusResult, Outcome
from overtone_papers.fusion.tables import figure

FEELS = 0.02
"""A smaller difference of AUC is none: the paper's own seeds differ by up to a hundredth."""
CHOICES = """
text features | {encoder} | any local encoder can be named; the paper has BERT-base
split of the 232 dimensions | 104 audio + 128 text
  | the text's first layer has 128; both convolutions of a branch are as wide as its mean
kernels, activations | 5 frames for audio, 3 tokens for text, ReLU | the paper's figure 1 has them, its text does not
batch and epochs | batch {batch}, {epochs} epochs, {fusion_epochs} for fusions that start from trained branches; no
  early stopping | the paper chose epochs on the folds it reports; here they are fixed beforehand
padding | zeros to the longest track (at most {max_s:g} s and {max_tokens} tokens), masked in every layer and in the
  batch statistics | the paper masks padding; like this no figure depends on how long it is
acoustic features | {audio}
  | openSMILE's licence forbids commercial products; --option audio=opensmile takes it
frozen branches | run as at inference, without dropout
  | their outputs are then computed once, and a pre-trained fusion takes seconds
warm start | trains the last convolutions, the text's last batch normalisation and the layers after merging at
  {fine_tuning_rate:g} | the paper names one rate for fine-tuning; the logits of late fusion's branches stay frozen
scripts | the corpus' sentences in halves; on IEMOCAP the third script is tested only; where a corpus names no sentence,
  equal transcripts are one script | the paper describes IEMOCAP only
"""
"""What the paper's text leaves open, and how it was chosen here."""
AUDIO = {"own": "own descriptors (features/acoustic.py)", "opensmile": "openSMILE"}


def claims(results: Sequence[CorpusResult], *, quick: bool = False) -> tuple[Claim, ...]:
    """Return the paper's claims, read on each corpus; a quick run judges none."""
    readers = (
        _text_cannot_help,
        _text_leak,
        _random_flatters_audio,
        _scripts_spare_audio,
        _context_helps,
        _fusion_helps,
        _fusions_alike,
        _warm_start,
    )
    return tuple(
        replace(read, claim=f"{result.name}: {read.claim}")
        for result in results
        for read in judged(readers, result, quick=quick)
    )


@claim(
    "with fixed sentences spoken in every emotion, text alone cannot help",
    "not in the paper: its corpora have free speech; it follows from what it says of scripts",
)
def _text_cannot_help(result: CorpusResult) -> Verdict | None:
    text, counts = result.by_criterion(_text(result)), result.scripts
    if not text or counts["in_every_class"] < counts["scripts"]:
        return None
    words = f"{counts['scripts']} sentences, all in 4 classes; AUC of text {_areas(text)}"
    return words, not any(above_chance(outcome) for outcome in text.values())


@claim(
    "folds that share scripts, random or by speaker, flatter text", "figure 2: both are optimistic for text on IEMOCAP"
)
def _text_leak(result: CorpusResult) -> Verdict | None:
    text, looked_up = result.by_criterion(_text(result)), result.by_criterion(LOOK_UP)
    if len(text) < 3:
        return None
    fixed = not any(above_chance(looked_up[c]) for c in ("random", "speaker"))
    leaks = [larger(text[criterion], text["speaker-script"]) for criterion in ("random", "speaker")]
    note = "; nothing to leak here, the scripts do not go with classes" if fixed else ""
    words = f"AUC of text {_areas(text)}; of the script looked up {_areas(looked_up)}{note}"
    return words, None if fixed or None in leaks else all(leaks)


@claim("random folds flatter audio", "figure 2: random above by speaker")
def _random_flatters_audio(result: CorpusResult) -> Verdict | None:
    audio = result.by_criterion("audio")
    if not {"random", "speaker"} <= set(audio):
        return None
    return f"AUC of audio {_areas(audio)}", larger(audio["random"], audio["speaker"])


@claim("for audio, folds by speaker and folds by speaker and script are alike", "figure 2: similar")
def _scripts_spare_audio(result: CorpusResult) -> Verdict | None:
    audio = result.by_criterion("audio")
    if not {"speaker", "speaker-script"} <= set(audio):
        return None
    words = f"AUC of audio {_areas(audio)}; half of the scripts and fewer utterances train the latter"
    return words, alike(audio["speaker"], audio["speaker-script"])


@claim("contextual embeddings beat word vectors", "AUC .792 against .736 on IEMOCAP, .749 against .736 on MSP-Podcast")
def _context_helps(result: CorpusResult) -> Verdict | None:
    texts = {name: result.by_script[name] for name in ("encoder", "glove") if name in result.by_script}
    if len(texts) < 2:
        return None
    if not any(above_chance(outcome) for outcome in texts.values()):
        return f"AUC {_areas(texts)}; neither is above chance: the text tells nothing here", None
    return f"AUC {_areas(texts)}", larger(texts["encoder"], texts["glove"])


@claim("fusion gains on the best single network", "average recall 16 % better, relatively, on both corpora")
def _fusion_helps(result: CorpusResult) -> Verdict | None:
    fused = _fusions(result)
    single = {s: o for s, o in result.by_script.items() if s in ("audio", "encoder", "glove")}
    if not fused:
        return None
    best, alone = (max(which, key=lambda s: np.median(which[s].uar)) for which in (fused, single))
    gain = 100 * (np.median(fused[best].uar) / np.median(single[alone].uar) - 1)
    words = (
        f"{best} {figure(fused[best].uar, percent=True)} % against {alone} "
        f"{figure(single[alone].uar, percent=True)} %: {gain:+.1f} %, the best of {len(fused)} fusions"
    )
    return words, larger(fused[best], single[alone])


@claim("all fusions do alike", "AUC .857 to .863 on IEMOCAP, .817 to .823 on MSP-Podcast")
def _fusions_alike(result: CorpusResult) -> Verdict | None:
    fused = _fusions(result)
    if len(fused) < 2:
        return None
    return f"AUC {_areas(fused)}", alike(max(fused.values(), key=_auc), min(fused.values(), key=_auc))


@claim(
    "the warm start has a small advantage among early fusions",
    "AUC .863 against .859 and .857; .823 against .817 and .817",
)
def _warm_start(result: CorpusResult) -> Verdict | None:
    early = {s: o for s, o in result.by_script.items() if s in ("EF-CS", "EF-WS", "EF-PT")}
    if "EF-WS" not in early or len(early) < 2:
        return None
    best_other = max(_auc(outcome) for s, outcome in early.items() if s != "EF-WS")
    if len(early["EF-WS"].auc) < 2:
        return f"AUC {_areas(early)}; one seed cannot tell differences so small", None
    return f"AUC {_areas(early)}", _auc(early["EF-WS"]) > best_other


def standard_error(outcome: Outcome) -> float:
    """Return the standard error of the average AUC where nothing is recognised: the most it can be.

    That of the Mann-Whitney statistic for each class against the rest, as if the four were independent.
    """
    counts = [int(figures["n"]) for figures in outcome.scores["per_class"].values()]
    total = sum(counts)
    variances = [(total + 1) / (12 * n * (total - n)) for n in counts if 0 < n < total]
    return float(np.sqrt(sum(variances)) / len(variances)) if variances else 0.5


def above_chance(outcome: Outcome) -> bool:
    """Return whether the AUC lies two standard errors above a half."""
    return _auc(outcome) > 0.5 + 2 * standard_error(outcome)


def larger(one: Outcome, other: Outcome) -> bool | None:
    """Return whether one AUC is larger than the other by more than noise; None where so few utterances cannot tell."""
    difference, noise = _auc(one) - _auc(other), _noise(one, other)
    if difference > max(FEELS, noise):
        return True
    return False if difference + noise < FEELS or noise < FEELS else None


def alike(one: Outcome, other: Outcome) -> bool | None:
    """Return whether two AUC differ by no more than `FEELS`; None where so few utterances cannot tell."""
    difference, noise = abs(_auc(one) - _auc(other)), _noise(one, other)
    if difference <= FEELS:
        return True
    return False if difference > FEELS + noise else None


def _noise(one: Outcome, other: Outcome) -> float:
    """Return two standard errors: of a difference, where half of the deviations are common to both."""
    return 2 * max(standard_error(one), standard_error(other))


def _fusions(result: CorpusResult) -> dict[str, Outcome]:
    return {s: o for s, o in result.by_script.items() if s.startswith(("EF-", "LF-"))}


def _text(result: CorpusResult) -> str:
    return "encoder" if result.by_criterion("encoder") else "glove"


def _auc(outcome: Outcome) -> float:
    return float(np.median(outcome.auc))


def _areas(outcomes: Mapping[str, Outcome]) -> str:
    return ", ".join(f"{name} {figure([_auc(outcome)], percent=False)}" for name, outcome in outcomes.items())
