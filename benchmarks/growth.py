"""Cost of listening against the length of speech, the hop, the network's size and the number of streams.

Prints JSON; `--plot FILE` draws it. Costs are CPU ms per second of speech of one stream, on one thread. The streams are
those of a hub: as many microphones, each with its own gate, features, states and decisions, in one process.
"""

import gc
import sys
import tempfile
import time
from pathlib import Path

import _common
import _targets

LENGTHS_S = (1, 3, 10, 30, 100)
HOPS_MS = (20, 40, 100, 200, 500)
SIZES = ("S", "M", "L")
STREAMS = (1, 2, 4, 8, 16)
BLOCK = 1600
LABELS = {
    "length_of_speech_s": "speech heard so far, s",
    "streams": "streams in one process",
    "hop_ms": "hop, ms",
    "size": "network",
}
HEADER = ("", "value", "CPU ms per s of speech", "MB")


def hearing_of(bundle):
    """Return a hearing whose gate is held open and whose utterances do not end."""
    from overtone_edge.bench.listening import build_hearing
    from overtone_edge.hearing.streaming import StreamingRecogniser

    return build_hearing(StreamingRecogniser(bundle), gate_held_open=True)


def costs(hearings, samples, seconds):
    """Return CPU ms per second of speech of each of `seconds` seconds, over all hearings, which take turns."""
    costs_ms = []
    for second in range(seconds):
        began = time.process_time_ns()
        for tenth in range(10):
            place = (second * 10 + tenth) * BLOCK % (samples.size - BLOCK)
            for hearing in hearings:
                for event in hearing.process(samples[place : place + BLOCK]):
                    event.to_json()
        costs_ms.append((time.process_time_ns() - began) / 1e6)
    return costs_ms


def typical(values):
    """Return the median of all but the first, in which everything is touched for the first time."""
    import statistics

    return round(statistics.median(values[1:] or values), 4)


def with_length(bundle, samples, lengths):
    """Return the cost of a second at the end of speech of each length."""
    costs_ms = costs([hearing_of(bundle)], samples, max(lengths) + 3)
    return [{"value": length, "cpu_ms_per_s": typical(costs_ms[max(0, length - 3) : length + 3])} for length in lengths]


def with_hop(size, samples, hops_ms, seconds):
    """Return the cost for each hop, each with a network of its own."""
    return [
        {"value": hop_ms, "cpu_ms_per_s": typical(costs([hearing_of(random_bundle(size, hop_ms))], samples, seconds))}
        for hop_ms in hops_ms
    ]


def with_size(sizes, samples, seconds):
    """Return the cost for each size."""
    return [
        {"value": size, "cpu_ms_per_s": typical(costs([hearing_of(random_bundle(size))], samples, seconds))}
        for size in sizes
    ]


def with_streams(bundle, samples, numbers, seconds):
    """Return the cost of all streams together, and the process's memory, for each number of them."""
    from overtone_edge.bench.machine import resident_mb
    from overtone_edge.hearing.listener import trim_memory

    rows, hearings = [], []
    for number in numbers:
        hearings += [hearing_of(bundle) for _ in range(number - len(hearings))]
        cost = typical(costs(hearings, samples, seconds))
        gc.collect()
        trim_memory()
        rows.append({"value": number, "cpu_ms_per_s": cost, "resident_mb": resident_mb()})
    return rows


def random_bundle(size, hop_ms=100):
    """Return a bundle of a size and hop with random weights, which cannot learn."""
    from overtone_edge.bench.cli import open_bundle

    with tempfile.NamedTemporaryFile() as file:
        file.write(_common.sized_bundle(size, hop_ms=hop_ms, training=False))
        file.flush()
        return open_bundle(Path(file.name), None).bundle


def table(growth):
    """Return all rows as text."""
    rows = [
        (name if number == 0 else "", row["value"], f"{row['cpu_ms_per_s']:.3f}", f"{row.get('resident_mb', ''):}")
        for name, points in growth.items()
        for number, row in enumerate(points)
    ]
    return _targets.columns(HEADER, rows)


def plot(growth, file):
    """Draw the four curves into a file, whose ending says its kind."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 6), layout="constrained")
    for axes, (name, points) in zip(figure.subplots(2, 2).flat, growth.items(), strict=True):
        values, costs_ms = [row["value"] for row in points], [row["cpu_ms_per_s"] for row in points]
        axes.plot(values, costs_ms, marker="o")
        if not isinstance(values[0], str):
            axes.set_xscale("log")
            axes.set_xticks(values, [str(value) for value in values])
            axes.minorticks_off()
        axes.set_xlabel(LABELS[name])
        axes.set_ylabel("CPU ms per s of speech")
        axes.set_ylim(0, 1.1 * max(costs_ms))
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=120)


def main() -> None:
    """Measure and print; the table goes to standard error."""
    parser = _common.parser(__doc__)
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the growth into this PNG or SVG")
    parser.add_argument("--quick", action="store_true", help="two points of each, to see that it runs")
    arguments = parser.parse_args()
    _common.one_thread()
    _common.one_core()
    bundle = _common.open_bundle(arguments.bundle, arguments.size)
    samples = _common.sound(arguments, bundle)
    ends = slice(None, None, 4) if arguments.quick else slice(None)
    seconds = 3 if arguments.quick else 12
    size = "S" if arguments.quick else "M"
    growth = {
        "length_of_speech_s": with_length(bundle, samples, LENGTHS_S[:2] if arguments.quick else LENGTHS_S),
        "streams": with_streams(bundle, samples, STREAMS[:2] if arguments.quick else STREAMS, seconds),
        "hop_ms": with_hop(size, samples, HOPS_MS[ends], seconds),
        "size": with_size(SIZES[:1] if arguments.quick else SIZES, samples, seconds),
    }
    print(table(growth), file=sys.stderr)
    if arguments.plot is not None:
        plot(growth, arguments.plot)
    lengths, streams = growth["length_of_speech_s"], growth["streams"]
    many = streams[-1]
    figures = {
        "growth": growth,
        "targets": [
            _targets.figure(
                f"cost after {lengths[-1]['value']} s of speech over that after {lengths[0]['value']} s",
                lengths[-1]["cpu_ms_per_s"] / lengths[0]["cpu_ms_per_s"],
            ),
            _targets.figure(f"{many['value']} streams, CPU of one core", many["cpu_ms_per_s"] / 10, "%"),
            _targets.figure(f"{many['value']} streams, resident", many["resident_mb"], "MB"),
        ],
    }
    _common.print_report("growth", bundle, figures)


if __name__ == "__main__":
    main()
