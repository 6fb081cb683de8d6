"""From a system and a study to report.json and report.html."""

import json
import platform
import subprocess
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from overtone_cloud.corpora.utterance import Reading
from overtone_cloud.errors import TrainingError
from overtone_cloud.reports.templates import picture, render
from overtone_common.files import write_atomically
from overtone_models.labels import ordered
from overtone_papers.common.report import VERDICTS, Report, cell_text
from overtone_papers.common.study import Study
from overtone_papers.common.system import System

FORMAT, VERSION = "overtone-paper-report", 1
LIBRARIES = ("overtone", "tensorflow", "keras", "numpy", "scipy", "scikit-learn")


def execute(system: System, study: Study, *, accelerators: tuple[str, ...] = ()) -> dict[str, Any]:
    """Run the system, write its report into `study.out` and return the report as JSON.

    A run of some parts only writes report-PART.json and report-PART.html, so that a whole report stays.
    """
    started = time.monotonic()
    report = system.run(study)
    seconds = time.monotonic() - started + sum(study.kept_seconds)
    data = record(system, study, report, seconds=seconds, accelerators=accelerators)
    for path, content in (
        (report_path(system, study, "json"), _json(data)),
        (report_path(system, study, "html"), as_html(data, study.out).encode()),
    ):
        write_atomically(path, content, error=TrainingError)
    return data


def report_path(system: System, study: Study, ending: str) -> Path:
    """Return where the report of this study's parts is written."""
    part = "" if study.parts == system.parts else "-" + "-".join(study.parts)
    return study.out / f"report{part}.{ending}"


def record(
    system: System, study: Study, report: Report, *, seconds: float, accelerators: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Return everything that is known of a run as JSON; it names no folder of this machine."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "system": system.letter,
        "title": system.title,
        "paper": system.paper,
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "commit": commit(),
        "versions": versions(),
        "accelerators": list(accelerators),
        "quick": study.quick,
        "seeds": study.seeds,
        "options": dict(study.options),
        "corpora": {name: describe(reading) for name, reading in study.readings.items()},
        "seconds": round(seconds, 1),
        **asdict(report),
    }


def as_html(report: Mapping[str, Any], folder: Path) -> str:
    """Return the page of a report (`record`) with its pictures, which are read from `folder`."""
    commit_text = f", commit {report['commit']}" if report["commit"] else ""
    devices = ", ".join(report["accelerators"]) or "no accelerator"
    seeds = f"{report['seeds']} seed{'' if report['seeds'] == 1 else 's'}"
    options = "".join(f", {name} = {value}" for name, value in report["options"].items())
    quick = "A quick run: fewer epochs and folds than the paper's protocol. " if report["quick"] else ""
    return render(
        __package__,
        "paper_page.html",
        title=f"System {report['system']}: {report['title']}",
        report=report,
        circumstances=f"{quick}{report['date']}{commit_text}; {seeds}{options}; {report['seconds']:.0f} s in all, "
        f"{devices}.",
        pictures={
            part["name"]: [picture(folder / each["path"], each["caption"]) for each in part["pictures"]]
            for part in report["parts"]
        },
        verdicts=VERDICTS,
        shown=cell_text,
        listed=lambda counts: ", ".join(f"{name} {count}" for name, count in counts.items()),
    )


def describe(reading: Reading) -> dict[str, Any]:
    """Return a corpus' digest and counts."""
    counts = Counter(str(u.label) for u in reading.labelled)
    return {
        "corpus": reading.corpus,
        "digest": reading.digest,
        "utterances": len(reading.utterances),
        "labelled": len(reading.labelled),
        "speakers": len(reading.speakers),
        "labels": {label: counts[label] for label in ordered(set(counts))},
    }


def commit() -> str | None:
    """Return the commit of this code, with "-dirty" where files were changed; None outside its repository."""
    if _git("ls-files", "--error-unmatch", "running.py") is None:
        return None  # installed somewhere inside another repository
    return _git("describe", "--always", "--dirty", "--abbrev=40", "--exclude", "*")


def _git(*words: str) -> str | None:
    here = Path(__file__).resolve().parent
    try:
        answer = subprocess.run(
            ["git", *words], cwd=here, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True, timeout=30
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip()


def versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries that figures hang on."""
    installed = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            installed[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return installed


def _json(data: dict[str, Any]) -> bytes:
    try:
        return json.dumps(data, indent=1, allow_nan=False, ensure_ascii=False).encode() + b"\n"
    except (TypeError, ValueError) as error:
        raise TrainingError(f"the report of system {data['system']} cannot be written as JSON: {error}") from error
