"""Figures of `overtone-bench`: percentiles, and the report as a plain-text table."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

STAGES = ("capture", "gate", "features", "network", "head", "decide", "publish")
RUNS = {
    "paced": "at real pace",
    "paced_while_training": "at real pace while training",
    "fast": "as fast as possible",
}
HEADER = ("p50", "p95", "p99", "max", "count")


def spread(values_ms: Sequence[float]) -> dict[str, float]:
    """Return p50, p95, p99 and max (values that occurred, in ms) and their count; zeros where there is none."""
    if not len(values_ms):
        return {"p50": 0.0, "p95": 0.0, "p99": 0.0, "max": 0.0, "count": 0}
    p50, p95, p99, top = np.percentile(values_ms, (50, 95, 99, 100), method="higher")
    values = {"p50": p50, "p95": p95, "p99": p99, "max": top}
    return {**{name: round(float(value), 4) for name, value in values.items()}, "count": len(values_ms)}


def table(report: dict[str, Any]) -> str:
    """Return the report as plain text."""
    return "\n".join([*_heading(report), "", *_cold(report["cold_start"]), *_runs(report), *_training(report)])


def _heading(report: dict[str, Any]) -> Iterator[str]:
    machine, bundle, clip = report["machine"], report["bundle"], report["clip"]
    yield (
        f"overtone-bench {report['software']}, {report['runtime']}, inner loops {report['loops']}, "
        f"Python {machine['python']}"
    )
    yield (
        f"machine   {machine['model']}, {machine['cores']} cores, {machine['architecture']}, "
        f"{machine['memory_mb'] / 1000:.1f} GB, load {machine['load']:.1f} before"
    )
    for moment in ("before", "after"):
        yield f"{moment:9} {_health(report['health'][moment])}"
    yield (
        f"bundle    {bundle['name']} version {bundle['version']}, {bundle['weights']} weights, "
        f"{bundle['streaming_bytes'] / 1000:.0f} kB network, signature {bundle['signature']}"
    )
    gate_note = "; the gate hears no speech in it and was held open" if clip["gate_held_open"] else ""
    yield f"sound     {clip['source']} of {clip['seconds']:.1f} s, repeated to {report['seconds']:g} s{gate_note}"


def _health(health: dict[str, Any]) -> str:
    texts = {
        "temperature": _optional(health["temperature_c"], "{:.1f} C"),
        "governor": _optional(health["governor"], "{}"),
        "clock": _optional(health["clock_mhz"], "{:.0f} MHz"),
        "throttled": _optional(health["throttled"], "{}"),
    }
    return ", ".join(f"{name} {value}" for name, value in texts.items())


def _optional(value: Any, pattern: str) -> str:
    return "not reported" if value is None else pattern.format(value)


def _cold(cold: dict[str, Any]) -> Iterator[str]:
    parts = ", ".join(f"{name.replace('_', ' ')} {ms:.0f}" for name, ms in cold["parts_ms"].items())
    total = cold["total_ms"]
    p50, top = total["p50"], total["max"]
    yield f"cold start to the first decision, {total['count']} times: p50 {p50:.0f} ms, max {top:.0f} ms"
    yield f"  {parts} (ms, p50)"


def _runs(report: dict[str, Any]) -> Iterator[str]:
    for key, title in RUNS.items():
        run = report[key]
        if run is None:
            continue
        yield ""
        yield _row(f"{title}, ms per {report['hop_ms']} ms", HEADER)
        for stage in STAGES:
            yield _spread_row(f"  {stage}", run["stages_ms"][stage])
        yield _spread_row("  whole, speech", run["hop_ms"])
        yield _spread_row("  whole, silence", run["silence_ms"])
        yield from _summary(run, report["deadline_ms"])


def _summary(run: dict[str, Any], deadline_ms: float) -> Iterator[str]:
    share = 100 * run["deadline_misses"] / max(1, run["blocks"])
    yield f"  deadline misses {run['deadline_misses']} of {run['blocks']} ({share:.2f} %), {deadline_ms:g} ms"
    yield (
        f"  CPU {run['cpu_s_per_s_of_speech']:.4f} s per second of speech; {run['speech_s']:.1f} s of speech in "
        f"{run['sound_s']:.1f} s of sound, processed in {run['wall_s']:.2f} s"
    )
    memory = run["memory"]
    yield (
        f"  resident memory {memory['at_rest_mb']:.1f} MB at rest, {memory['listening_mb']:.1f} MB listening, "
        f"{memory['peak_mb']:.1f} MB at most"
    )
    yield f"  {run['publish']['events']} events published, {run['publish']['acknowledged']} acknowledged by the sink"
    if run["training_cpu_s"] is not None:
        yield f"  the training process had {run['training_cpu_s']:.1f} s of CPU meanwhile"


def _training(report: dict[str, Any]) -> Iterator[str]:
    training = report["training"]
    if training is None:
        return
    yield ""
    yield _row(f"training, ms per step of {training['batch']} examples", HEADER)
    for scope in ("head", "full"):
        yield _spread_row(f"  {scope}", training[f"{scope}_step_ms"])
    yield f"  resident memory of the training process {training['peak_mb']:.1f} MB at most"


def _spread_row(name: str, values: dict[str, float]) -> str:
    if not values["count"]:
        return _row(name, ("-", "-", "-", "-", "0"))
    numbers = (f"{values[key]:.3f}" for key in HEADER[:-1])
    return _row(name, (*numbers, str(values["count"])))


def _row(name: str, cells: Sequence[str]) -> str:
    return f"{name:42}" + "".join(f"{cell:>10}" for cell in cells)
