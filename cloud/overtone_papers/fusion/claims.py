"""Which of the fusion paper's claims hold on the corpora at hand, as far as so many utterances can tell."""

from collections.abc import Callable, Sequence

import numpy as np

from overtone_papers.common.report import Claim
from overtone_papers.fusion.experiment import LOOK_UP, CorpusResult, Outcome
from overtone_papers.fusion.tables import TITLES, figure

FEELS = 0.02
"""A smaller difference of AUC is none: the paper's own seeds differ by up to a hundredth."""


def claims(results: Sequence[CorpusResult], *, quick: bool = False) -> tuple[Claim, ...]:
    """Return the paper's claims, read on each corpus; a quick run judges none."""
    readers: tuple[Callable[[CorpusResult], Claim | None], ...] = (
        text_cannot_help,
        text_leak,
        random_flatters_audio,
        scripts_spare_audio,
        context_helps,
        fusion_helps,
        fusions_alike,
        warm_start,
    )
    found = (reader(result) for result in results for reader in readers)
    made = [claim for claim in found if claim is not None]
    return tuple(claim.undecided() for claim in made) if quick else tuple(made)


def text_cannot_help(result: CorpusResult) -> Claim | None:
    """Say whether sentences spoken in every emotion leave text without anything to tell."""
    text = _text(result)
    found = {c: f.outcomes[text] for c, f in result.findings.items() if text in f.outcomes}
    counts = result.scripts
    if not found or counts["in_every_class"] < counts["scripts"]:
        return None
    areas = {criterion: _auc(outcome) for criterion, outcome in found.items()}
    return Claim(
        claim=f"{result.name}: with fixed sentences spoken in every emotion, text alone cannot help",
        paper="not in the paper: its corpora have free speech; it follows from what it says of scripts",
        ours=f"{counts['scripts']} sentences, all in 4 classes; AUC of text {_listed(areas)}",
        holds=not any(above_chance(outcome) for outcome in found.values()),
    )


def text_leak(result: CorpusResult) -> Claim | None:
    """Say whether folds that share scripts flatter the text network."""
    text = _text(result)
    found = {c: f.outcomes[text] for c, f in result.findings.items() if text in f.outcomes}
    if len(found) < 3:
        return None
    areas = {criterion: _auc(outcome) for criterion, outcome in found.items()}
    looked_up = {c: _auc(f.outcomes[LOOK_UP]) for c, f in result.findings.items()}
    fixed = not any(above_chance(result.findings[c].outcomes[LOOK_UP]) for c in ("random", "speaker"))
    leaks = [larger(found[criterion], found["speaker-script"]) for criterion in ("random", "speaker")]
    note = "; nothing to leak here, the scripts do not go with classes" if fixed else ""
    return Claim(
        claim=f"{result.name}: folds that share scripts, random or by speaker, flatter text",
        paper="figure 2: both are optimistic for text on IEMOCAP",
        ours=f"AUC of text {_listed(areas)}; of the script looked up {_listed(looked_up)}{note}",
        holds=None if fixed or None in leaks else all(leaks),
    )


def random_flatters_audio(result: CorpusResult) -> Claim | None:
    """Say whether random folds flatter the audio network."""
    found = _audio(result)
    if not {"random", "speaker"} <= set(found):
        return None
    return Claim(
        claim=f"{result.name}: random folds flatter audio",
        paper="figure 2: random above by speaker",
        ours=f"AUC of audio {_areas(found)}",
        holds=larger(found["random"], found["speaker"]),
    )


def scripts_spare_audio(result: CorpusResult) -> Claim | None:
    """Say whether audio does as well when the scripts are new as well."""
    found = _audio(result)
    if not {"speaker", "speaker-script"} <= set(found):
        return None
    return Claim(
        claim=f"{result.name}: for audio, folds by speaker and folds by speaker and script are alike",
        paper="figure 2: similar",
        ours=f"AUC of audio {_areas(found)}; half of the scripts and fewer utterances train the latter",
        holds=alike(found["speaker"], found["speaker-script"]),
    )


def context_helps(result: CorpusResult) -> Claim | None:
    """Say whether the encoder is better than word vectors."""
    return _compared(
        result,
        "encoder",
        "glove",
        f"{result.name}: contextual embeddings beat word vectors",
        "AUC .792 against .736 on IEMOCAP, .749 against .736 on MSP-Podcast",
    )


def fusion_helps(result: CorpusResult) -> Claim | None:
    """Say whether the best fusion gains on the best single network."""
    found = _by_script(result)
    fused = {s: o for s, o in found.items() if s in TITLES and s.startswith(("EF-", "LF-"))}
    single = {s: o for s, o in found.items() if s in ("audio", "encoder", "glove")}
    if not fused:
        return None
    best, alone = (max(which, key=lambda s: _uar(which[s])) for which in (fused, single))
    gain = 100 * (_uar(fused[best]) / _uar(single[alone]) - 1)
    return Claim(
        claim=f"{result.name}: fusion gains on the best single network",
        paper="average recall 16 % better, relatively, on both corpora",
        ours=(
            f"{best} {figure(fused[best].uar, percent=True)} % against {alone} "
            f"{figure(single[alone].uar, percent=True)} %: {gain:+.1f} %, the best of {len(fused)} fusions"
        ),
        holds=larger(fused[best], single[alone]),
    )


def fusions_alike(result: CorpusResult) -> Claim | None:
    """Say whether the fusions differ little."""
    found = {s: o for s, o in _by_script(result).items() if s.startswith(("EF-", "LF-"))}
    if len(found) < 2:
        return None
    return Claim(
        claim=f"{result.name}: all fusions do alike",
        paper="AUC .857 to .863 on IEMOCAP, .817 to .823 on MSP-Podcast",
        ours=f"AUC {_areas(found)}",
        holds=alike(max(found.values(), key=_auc), min(found.values(), key=_auc)),
    )


def warm_start(result: CorpusResult) -> Claim | None:
    """Say whether the warm start is the best early fusion."""
    found = {s: o for s, o in _by_script(result).items() if s in ("EF-CS", "EF-WS", "EF-PT")}
    if "EF-WS" not in found or len(found) < 2:
        return None
    areas = {s: _auc(o) for s, o in found.items()}
    best_other = max(area for s, area in areas.items() if s != "EF-WS")
    seeds = len(found["EF-WS"].auc)
    return Claim(
        claim=f"{result.name}: the warm start has a small advantage among early fusions",
        paper="AUC .863 against .859 and .857; .823 against .817 and .817",
        ours=f"AUC {_listed(areas)}" + ("" if seeds > 1 else "; one seed cannot tell differences so small"),
        holds=None if seeds < 2 else areas["EF-WS"] > best_other,
    )


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


def _compared(result: CorpusResult, better: str, worse: str, claim: str, paper: str) -> Claim | None:
    found = _by_script(result)
    if better not in found or worse not in found:
        return None
    areas = {name: _auc(found[name]) for name in (better, worse)}
    blind = not any(above_chance(found[name]) for name in (better, worse))
    return Claim(
        claim=claim,
        paper=paper,
        ours=f"AUC {_listed(areas)}" + ("; neither is above chance: the text tells nothing here" if blind else ""),
        holds=None if blind else larger(found[better], found[worse]),
    )


def _by_script(result: CorpusResult) -> dict[str, Outcome]:
    finding = result.findings.get("speaker-script")
    return dict(finding.outcomes) if finding is not None else {}


def _audio(result: CorpusResult) -> dict[str, Outcome]:
    return {c: f.outcomes["audio"] for c, f in result.findings.items()}


def _text(result: CorpusResult) -> str:
    return "encoder" if any("encoder" in f.outcomes for f in result.findings.values()) else "glove"


def _auc(outcome: Outcome) -> float:
    return float(np.median(outcome.auc))


def _uar(outcome: Outcome) -> float:
    return float(np.median(outcome.uar))


def _areas(found: dict[str, Outcome]) -> str:
    return _listed({name: _auc(outcome) for name, outcome in found.items()})


def _listed(areas: dict[str, float]) -> str:
    return ", ".join(f"{name} {figure([area], percent=False)}" for name, area in areas.items())
