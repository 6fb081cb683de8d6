"""Extract of a recognition benchmark for a model card: figures of models that were trained the same way."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from overtone_cloud.errors import ConfigError
from overtone_cloud.recognition.joint import ALL
from overtone_cloud.recognition.report import FORMAT, VERSION
from overtone_cloud.training.settings import TrainSettings

COPIED_KEYS = ("date", "versions", "command", "seeds", "joint")
REQUIRED_KEYS = (*COPIED_KEYS, "settings", "quick", "complete", "protocols", "joint_details")
THRESHOLDS = (0.0, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


def read_figures(path: Path, settings: TrainSettings, labels: Sequence[str], corpora: Sequence[str]) -> dict[str, Any]:
    """Return the extract of a report for a card.

    Raises ConfigError in one line for a report that is of another model: a trial, an unfinished benchmark, other
    settings, corpora or labels.
    """
    report = _read(path)
    if missing := [name for name in REQUIRED_KEYS if name not in report]:
        raise ConfigError(
            f"{path} lacks {missing[0]!r}: run the benchmark's command again; finished trainings are reused"
        )
    if report["quick"] or not report["complete"]:
        kind = "a quick" if report["quick"] else "an unfinished"
        raise ConfigError(f"{path} is of {kind} benchmark: no figures for a card")
    _refuse_other_settings(path, report["settings"].get(ALL, {}), settings)
    protocol, details = report["protocols"].get(ALL), report["joint_details"]
    if protocol is None or details is None:
        raise ConfigError(
            f"{path} has no figures of one model for all corpora (benchmark without --protocol, or --protocol joint)"
        )
    if list(protocol["labels"]) != list(labels):
        raise ConfigError(f"{path} is of the labels {', '.join(protocol['labels'])}, the model has {', '.join(labels)}")
    report_corpora = sorted(row["corpus"] for row in report["joint"])
    if report_corpora != sorted(corpora):
        raise ConfigError(f"{path} is of {', '.join(report_corpora)}, the model of {', '.join(sorted(corpora))}")
    return {
        **{name: report[name] for name in COPIED_KEYS},
        # To the benchmark all corpora together are one manifest.
        "split": protocol["split"].replace("manifest, ", f"{'+'.join(sorted(corpora))}, ", 1),
        "one_model": _one_model(details, protocol["labels"]),
    }


def _read(path: Path) -> dict[str, Any]:
    try:
        report = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if not isinstance(report, dict) or (report.get("format"), report.get("version")) != (FORMAT, VERSION):
        raise ConfigError(f"{path} is no report of `overtone benchmark recognition`")
    return report


def _refuse_other_settings(path: Path, theirs: Mapping[str, Any], settings: TrainSettings) -> None:
    mine = json.loads(json.dumps(settings.to_json()))
    different = [name for name in mine if name != "seed" and theirs.get(name) != mine[name]]
    if different:
        name = different[0]
        raise ConfigError(f"{path} is of other settings: {name} is {theirs.get(name)!r} there, {mine[name]!r} here")


def _one_model(details: Mapping[str, Any], labels: Sequence[str]) -> dict[str, Any]:
    """Return the results of one model for all corpora: means over seeds, confusions added up."""
    confusion = np.sum([np.array(entry) for entry in details["confusion"].values()], axis=0)
    return {
        "figures": details["figures"],
        "recalls": _over_seeds(details["recalls"]),
        "genders": _over_seeds(details["gender_uar"]),
        "speakers": {
            name: {**entry, "gender": details["genders"][name]}
            for name, entry in _over_seeds(details["speaker_uar"]).items()
        },
        "labels": list(labels),
        "confusion": confusion.tolist(),
        "coverage": _coverage(details["coverage"]),
        "own_thresholds": _mean_cover(list(details["own_thresholds"].values())),
    }


def _over_seeds(by_seed: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, Any]]:
    """Return mean and deviation (None for one seed) of each name's values, 0..1."""
    names = sorted({name for shares in by_seed.values() for name in shares})
    values = {name: [shares[name] for shares in by_seed.values() if name in shares] for name in names}
    return {
        name: {
            "mean": round(float(np.mean(shares)), 4),
            "sd": round(float(np.std(shares, ddof=1)), 4) if len(shares) > 1 else None,
        }
        for name, shares in values.items()
    }


def _coverage(by_seed: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """Return coverage and accuracy at some of the benchmark's thresholds, mean over seeds."""
    curves = list(by_seed.values())
    rows = [[cover for curve in curves for cover in curve if abs(cover["threshold"] - t) < 1e-6] for t in THRESHOLDS]
    return [_mean_cover(row) for row in rows if row]


def _mean_cover(covers: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    right = [cover["accuracy"] for cover in covers if cover["accuracy"] is not None]
    return {
        "threshold": round(float(np.mean([cover["threshold"] for cover in covers])), 4),
        "coverage": round(float(np.mean([cover["coverage"] for cover in covers])), 4),
        "accuracy": round(float(np.mean(right)), 4) if right else None,
    }
