"""The benchmark's report: `recognition.json`, pictures, and one HTML page of both."""

import json
import platform
import shlex
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from overtone_cloud.corpora.splits import corpus_of
from overtone_cloud.errors import TrainingError
from overtone_cloud.recognition.benchmark import LOUDNESS, PERSONAL, PROTOCOLS, Benchmark, ProtocolResults
from overtone_cloud.recognition.figures import LOSSES, Figure, corpus_figures, gains, owners, predictions
from overtone_cloud.recognition.joint import ALL, WITHOUT
from overtone_cloud.recognition.limits import Limits
from overtone_cloud.recognition.measures import CLEAN, NAMES
from overtone_cloud.recognition.pictures import plot_coverage, plot_reliability
from overtone_cloud.recognition.predictions import Predictions, confusion, gender_uar, genders_of, pooled
from overtone_cloud.recognition.protocol import SHARED, lacking
from overtone_cloud.recognition.reliability import coverage, own_thresholds, reliability
from overtone_cloud.recognition.results import TrainingResults
from overtone_cloud.reports.templates import Picture, picture, render
from overtone_cloud.training.settings import TrainSettings
from overtone_common.files import write_atomically

SETTINGS = "settings.toml"
FORMAT, VERSION = "overtone-recognition", 1
JSON_NAME, HTML_NAME = "recognition.json", "report.html"
HOW = (
    "Test speakers take no part in their model's training. Early stopping, temperature, threshold and normalisation "
    "are chosen by inner speakers from the training part; where there are none, training has a fixed length, "
    "the temperature is 1, the threshold is 0.4 or the one that sounds require, and normalisation is chosen by the "
    "training speakers. Folds are pooled within a seed, so that each utterance is tested once; mean and deviation are "
    "over seeds. Utterances without detected speech under a condition count as wrong; those that are unreadable or "
    "without detected speech as recorded are left out and listed."
)
PACKAGES = ("numpy", "scipy", "tensorflow", "ai-edge-litert", "pyroomacoustics")


def write_report(benchmark: Benchmark, results: Mapping[str, ProtocolResults], *, complete: bool) -> dict[str, Any]:
    """Write recognition.json, report.html and their pictures to the benchmark's folder and return the report.

    The report of a running benchmark holds the results so far, and is not marked `complete`.
    """
    from overtone_converters.device import device_settings

    out = benchmark.out
    corpora = {name: f for name, f in results.items() if name in _names(benchmark)}
    report = {
        "format": FORMAT,
        "version": VERSION,
        "date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "versions": {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
        "how": HOW,
        "command": command_of(benchmark),
        "quick": benchmark.quick,
        "complete": complete,
        "seeds": list(benchmark.seeds),
        "settings": {name: benchmark.settings_of(name).to_json() for name in (*_names(benchmark), ALL)},
        "device": device_settings(),
        "protocols": {name: _protocol(protocol_results) for name, protocol_results in results.items()},
        "figures": [figure.to_json() for figure in _figures(benchmark, results, corpora)],
        "joint": joint_rows(results),
        "joint_details": _joint_details(benchmark, results.get(ALL)),
        "corpora": {name: _details(protocol_results, out) for name, protocol_results in corpora.items()},
    }
    _write(out / JSON_NAME, json.dumps(report, indent=1, ensure_ascii=False) + "\n")
    _write(out / HTML_NAME, as_html(report, out))
    return report


def _names(benchmark: Benchmark) -> list[str]:
    return [corpus.name for corpus in benchmark.corpora]


def _write(path: Path, text: str) -> None:
    write_atomically(path, text.encode(), error=TrainingError)


def _figures(
    benchmark: Benchmark, results: Mapping[str, ProtocolResults], corpora: Mapping[str, ProtocolResults]
) -> list[Figure]:
    figures: list[Figure] = []
    for name, protocol_results in corpora.items():
        shared = results.get(f"{name}{SHARED}")
        beside = shared.by_seed if shared is not None else None
        figures += corpus_figures(name, protocol_results.by_seed, beside, benchmark.measure_inputs.limits)
    return figures


def _joint_details(benchmark: Benchmark, protocol_results: ProtocolResults | None) -> dict[str, Any] | None:
    """Return the figures of one model for all corpora, its speakers pooled, and the data behind them."""
    if protocol_results is None:
        return None
    figures = corpus_figures(ALL, protocol_results.by_seed, None, benchmark.measure_inputs.limits)
    return {"figures": [figure.to_json() for figure in figures], **_details(protocol_results, benchmark.out)}


def _protocol(protocol_results: ProtocolResults) -> dict[str, Any]:
    split = protocol_results.protocol.split
    folds = protocol_results.protocol.folds
    return {
        "split": protocol_results.protocol.describe(),
        "speakers_shared": split.speakers_shared,
        "folds": list(folds),
        "seeds": list(protocol_results.protocol.seeds),
        "labels": list(protocol_results.protocol.labels),
        "skipped": list(protocol_results.skipped),
        "test_without": {
            name: lost for name in folds if (lost := list(lacking(protocol_results.reading, split.fold(name))))
        },
    }


def joint_rows(results: Mapping[str, ProtocolResults]) -> list[dict[str, Any]]:
    """Return a row per corpus: UAR of its unseen speakers by one model for all, and by one trained without the corpus.

    The first also when everything is made quiet or loud; of the second also what personal heads add, in points, mean
    of the corpus' speakers. Values are per cent, one per seed; None for measures that were not ordered.
    """
    joint = results.get(ALL)
    names = {name.removeprefix(WITHOUT) for name in results if name.startswith(WITHOUT)}
    if joint is not None:
        names |= {corpus_of(str(u.speaker)) for u in joint.reading.labelled}
    return [
        {
            "corpus": name,
            "unseen_speakers": _of_corpus(joint, name),
            **{level: _of_corpus(joint, name, level) for level in LOUDNESS},
            "corpus_not_heard": _of_corpus(results.get(f"{WITHOUT}{name}"), name),
            "personal_gain_not_heard": _personal_gain(results.get(f"{WITHOUT}{name}")),
        }
        for name in sorted(names)
    ]


def _of_corpus(protocol_results: ProtocolResults | None, corpus: str, measure: str = CLEAN) -> list[float] | None:
    if protocol_results is None or not all(measure in training.results for training in protocol_results.trainings):
        return None
    values = []
    for parts in protocol_results.by_seed.values():
        own = predictions(parts, measure).where(lambda speaker: corpus_of(speaker) == corpus)
        if not len(own):
            return None
        values.append(round(100 * own.uar, 3))
    return values


def _personal_gain(protocol_results: ProtocolResults | None) -> list[float] | None:
    if protocol_results is None or not all(PERSONAL in training.results for training in protocol_results.trainings):
        return None
    gains_by_seed = [gains(parts) for parts in protocol_results.by_seed.values()]
    return [round(float(np.mean(points)), 3) for points in gains_by_seed] if all(gains_by_seed) else None


def _details(protocol_results: ProtocolResults, out: Path) -> dict[str, Any]:
    """Return the data behind the figures, and draw the corpus' plots."""
    name, genders = protocol_results.protocol.name, genders_of(protocol_results.reading)
    by_seed = protocol_results.by_seed
    clean = {seed: predictions(parts, "clean") for seed, parts in by_seed.items()}
    bins = reliability(pooled(list(clean.values())))
    curves, own = [coverage(p) for p in clean.values()], [own_thresholds(p) for p in clean.values()]
    seeds = f"{len(clean)} seed{'' if len(clean) == 1 else 's'}"
    plot_reliability(bins, f"{name}: reliability, unseen speakers, {seeds}", out / f"reliability-{name}.png")
    plot_coverage(curves, own, f"{name}: deciding less often, unseen speakers", out / f"coverage-{name}.png")
    return {
        "fold_uar": {
            str(seed): {part.fold: round(part.predictions("clean").uar, 4) for part in parts}
            for seed, parts in by_seed.items()
        },
        "recalls": {str(seed): _rounded(predictions_of_seed.recalls) for seed, predictions_of_seed in clean.items()},
        "speaker_uar": {str(seed): _speakers(predictions_of_seed) for seed, predictions_of_seed in clean.items()},
        "genders": genders,
        "gender_uar": {
            str(seed): gender_uar(predictions_of_seed, genders) for seed, predictions_of_seed in clean.items()
        },
        "confusion": {str(seed): confusion(predictions_of_seed) for seed, predictions_of_seed in clean.items()},
        "unheard": _unheard(by_seed),
        "reliability": [b.to_json() for b in bins],
        "coverage": {str(seed): [c.to_json() for c in curve] for seed, curve in zip(clean, curves, strict=True)},
        "own_thresholds": {str(seed): cover.to_json() for seed, cover in zip(clean, own, strict=True)},
        **_more(by_seed),
    }


def _rounded(shares: Mapping[str, float]) -> dict[str, float]:
    return {name: round(share, 4) for name, share in shares.items()}


def _speakers(predictions: Predictions) -> dict[str, float]:
    """Return each speaker's UAR."""
    return _rounded({name: predictions.where(name.__eq__).uar for name in sorted(set(predictions.speakers))})


def _unheard(by_seed: Mapping[int, Sequence[TrainingResults]]) -> dict[str, int]:
    """Return in how many of the first seed's utterances the gate detected no speech, by condition."""
    parts = by_seed[min(by_seed)]
    conditions = [name for name in LOSSES if all(name in part.results for part in parts)]
    return {name: int((~predictions(parts, name).answered).sum()) for name in conditions}


def _more(by_seed: Mapping[int, Sequence[TrainingResults]]) -> dict[str, Any]:
    """Return the rows of further measures, where present."""
    details: dict[str, Any] = {}
    parts = [part for seed in by_seed for part in by_seed[seed]]
    for name in ("listening", "silence", "sounds", "speech"):
        if all(name in part.results for part in parts):
            details[name] = [{"seed": p.seed, "fold": p.fold, **p.results[name]} for p in parts]
    if all("personal" in part.results for part in parts):
        details["personal"] = {str(seed): owners(by_seed[seed]) for seed in by_seed}
    if all("normalised" in part.results for part in parts):
        details["normalised"] = [{"seed": p.seed, "fold": p.fold, **p.results["normalised"]["chosen"]} for p in parts]
    if all("int8" in part.results for part in parts):
        details["layers"] = parts[0].results["int8"]["layers"]
    return details


def figure_cells(row: Mapping[str, Any]) -> tuple[str, str, str, str]:
    """Return a figure's name, its mean and deviation, its target, and whether that is met."""
    digits = 0 if row["unit"] in ("bytes", "") else 1
    deviation = "" if row["sd"] is None or not digits else f" ± {row['sd']:.{digits}f}"
    value = f"{row['mean']:,.{digits}f}{deviation} {row['unit']}".strip()
    met = {True: "yes", False: "no", None: ""}[row["met"]]
    return str(row["figure"]), value, row["target"] or "", met


FIGURE_HEAD = ("figure", "mean ± sd", "target", "met")
JOINT_HEAD = (
    "corpus",
    "unseen speakers",
    "made quiet",
    "made loud",
    "trained without the corpus",
    "a personal head adds there",
)


def joint_cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Return a corpus' name and its UARs as text, in the order of `JOINT_HEAD`."""
    kinds = ("unseen_speakers", *LOUDNESS, "corpus_not_heard")
    gain = _mean_text(row.get("personal_gain_not_heard"), "points")
    return str(row["corpus"]), *(_mean_text(row[kind]) for kind in kinds), gain


def _mean_text(values: Sequence[float] | None, unit: str = "%") -> str:
    if values is None:
        return "–"
    figure = Figure(corpus="", name="", unit=unit, values=tuple(values))
    return figure_cells(figure.to_json())[1]


def as_html(report: Mapping[str, Any], folder: Path) -> str:
    """Return the report's page; pictures are read from `folder`."""
    seeds = f"{len(report['seeds'])} seed{'' if len(report['seeds']) == 1 else 's'}"
    quick = "A quick run: one fold, few epochs; its figures are not meaningful. " if report["quick"] else ""
    partial = "" if report["complete"] else "The benchmark is incomplete; these are the results so far. "
    details = report["joint_details"]
    return render(
        __package__,
        "benchmark_page.html",
        title="Recognition of unseen speakers",
        introduction=f"{partial}{quick}{report['date']}, {seeds}. {report['how']}",
        figure_head=FIGURE_HEAD,
        corpora=[_corpus_section(report, name, folder) for name in report["corpora"]],
        joint_head=JOINT_HEAD,
        joint=[joint_cells(row) for row in report["joint"]],
        joint_figures=[figure_cells(row) for row in details["figures"]] if details else [],
        joint_pictures=_pictures(folder, ALL, "one model") if details else [],
        versions=", ".join(f"{name} {value}" for name, value in report["versions"].items()),
    )


def _corpus_section(report: Mapping[str, Any], name: str, folder: Path) -> dict[str, Any]:
    return {
        "name": name,
        "split": report["protocols"][name]["split"],
        "figures": [figure_cells(row) for row in report["figures"] if row["corpus"] == name],
        "pictures": _pictures(folder, name, name),
    }


def _pictures(folder: Path, name: str, subject: str) -> list[Picture]:
    return [picture(folder / f"{kind}-{name}.png", f"{kind} of {subject}") for kind in ("reliability", "coverage")]


def command_of(benchmark: Benchmark) -> str:
    """Return the command that repeats a benchmark, with placeholder paths; its settings are in the report."""
    measure_inputs, usual = benchmark.measure_inputs, Limits()
    words = ["overtone", "benchmark", "recognition"]
    for corpus in benchmark.corpora:
        words += ["--corpus", f"{corpus.name}=path/to/{corpus.name}"]
    for name, folds in benchmark.folds.items():
        words += ["--folds", f"{name}={folds}"]
    words += ["--seeds", str(len(benchmark.seeds))]
    words += ["--settings", SETTINGS] if benchmark.settings != TrainSettings() else []
    for name in benchmark.own_settings:
        words += ["--settings", f"{name}={name}-{SETTINGS}"]
    if measure_inputs.sounds is not None:
        words += ["--sounds", "path/to/sounds"]
    if measure_inputs.speech is not None:
        words += ["--speech", "path/to/speech"]
    if benchmark.calibration is not None:
        words += ["--calibrate-on", f"{benchmark.calibration.name}=path/to/{benchmark.calibration.name}"]
    if tuple(benchmark.protocols) != PROTOCOLS:
        words += [word for protocol in benchmark.protocols for word in ("--protocol", protocol)]
    if tuple(benchmark.parts) != NAMES:
        words += [word for part in benchmark.parts for word in ("--part", part)]
    for option, value, default in (
        ("--limit-bytes", measure_inputs.limits.max_bytes, usual.max_bytes),
        ("--limit-multiply-adds", measure_inputs.limits.max_multiply_adds, usual.max_multiply_adds),
    ):
        words += [option, str(value)] if value != default else []
    return shlex.join([*words, *(["--quick"] if benchmark.quick else [])])
