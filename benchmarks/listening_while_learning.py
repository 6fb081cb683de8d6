"""Listening in real time, with and without concurrent training, on all cores and pinned to one. Prints JSON.

The agent's own listener hears a clip as a microphone would give it, 100 ms at a time, while the agent's own training
process takes one full step after the other; a hop is timed from the moment its last sample is there.
"""

import os
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import _common
import _targets

HEADER = ("", "hops", "missed", "p50 ms", "p95 ms", "p99 ms", "max ms", "training CPU s")
CORES = 2
P99_MS = {CORES: 20.0, 1: 40.0}


def cores_of_run(most):
    """Return the sets of cores to run on: all that are wanted, and one; the one alone where there is no other."""
    available = sorted(os.sched_getaffinity(0))
    return [set(available[-count:]) for count in (most, 1) if count <= len(available)]


def run(request, cores, *, training):
    """Return one stretch's figures; its processes inherit the cores."""
    from overtone_edge.bench.phases import measure

    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        figures = measure("listen", replace(request, training=training))
    finally:
        os.sched_setaffinity(0, before)
    return {
        "cores": len(cores),
        "training": training,
        "hops": figures["blocks"],
        "deadline_misses": figures["deadline_misses"],
        "hop_ms": figures["hop_ms"],
        "training_cpu_s": figures["training_cpu_s"],
    }


def table(runs):
    """Return the runs as text, a row each."""
    rows = []
    for one in runs:
        title = f"{one['cores']} core{'s' if one['cores'] > 1 else ''}, training {'on' if one['training'] else 'off'}"
        times = [f"{one['hop_ms'][key]:.2f}" for key in ("p50", "p95", "p99", "max")]
        cpu = "-" if one["training_cpu_s"] is None else f"{one['training_cpu_s']:.1f}"
        rows.append((title, one["hops"], one["deadline_misses"], *times, cpu))
    return _targets.columns(HEADER, rows)


def targets_of(runs):
    """Return the targets of the runs with training."""
    targets = []
    for one in (one for one in runs if one["training"]):
        where = f"{one['cores']} core{'s' if one['cores'] > 1 else ''}, training"
        targets.append(_targets.at_most(f"deadlines missed, {where}", one["deadline_misses"], 0))
        targets.append(_targets.at_most(f"p99 of a hop, {where}", one["hop_ms"]["p99"], P99_MS[one["cores"]], "ms"))
    return targets


def main() -> None:
    """Measure and print; the table goes to standard error."""
    parser = _common.parser(__doc__)
    parser.add_argument(
        "--minutes", type=float, default=1.0, help="of each of the four runs (default 1; the target: 10)"
    )
    arguments = parser.parse_args()
    _common.one_thread()
    bundle = _common.open_bundle(arguments.bundle, arguments.size)
    runs = []
    with tempfile.TemporaryDirectory() as folder:
        sound = _common.sound(arguments, bundle)
        for number, (cores, training) in enumerate(
            (cores, training) for cores in cores_of_run(CORES) for training in (False, True)
        ):
            print(f"    {len(cores)} core(s), training {'on' if training else 'off'}", file=sys.stderr, flush=True)
            place = Path(folder, str(number))
            request = _common.request(place, bundle, sound, arguments.minutes * 60)
            runs.append(run(request, cores, training=training))
    print(table(runs), file=sys.stderr)
    figures = {"minutes": arguments.minutes, "runs": runs, "targets": targets_of(runs)}
    _common.print_report("listening_while_learning", bundle, figures)


if __name__ == "__main__":
    main()
