"""MFCC: this front end, streaming and whole, beside librosa with the same parameters. Prints JSON.

Streaming means that 100 ms arrive at a time; librosa has no stream, so it gets the 100 ms with the
samples that its frames reach back over. Times are per second of sound.
"""

import _common


def main() -> None:
    """Measure and print."""
    arguments = _common.parser(__doc__).parse_args()
    _common.one_thread()

    import numpy as np

    from overtone_models.front_end import Mfcc, mfcc

    bundle = _common.open_bundle(arguments.bundle)
    spec = bundle.manifest.front_end
    samples = _common.sound(arguments, bundle)
    block, reach = spec.block_frames * spec.hop_samples, spec.block_samples
    starts = range(0, samples.size - reach + 1, block)
    stream = Mfcc(spec)

    def streaming() -> np.ndarray:
        stream.reset()
        return np.concatenate([stream.process(samples[i : i + block]) for i in range(0, samples.size, block)])

    def librosa_blocks() -> np.ndarray:
        return np.concatenate([_common.librosa_mfcc(samples[i : i + reach], spec) for i in starts])

    candidates = {
        "streaming_100_ms": streaming,
        "whole": lambda: mfcc(samples, spec),
        "librosa_100_ms": librosa_blocks,
        "librosa_whole": lambda: _common.librosa_mfcc(samples, spec),
    }
    exact = _common.librosa_mfcc(samples.astype(np.float64), spec)
    differences = {name: float(np.abs(run() - exact[: len(run())]).max()) for name, run in candidates.items()}
    if max(differences.values()) > 1e-3:
        raise SystemExit(f"front_end.py: the candidates do not compute the same: {differences}")
    times = _common.side_by_side(candidates, arguments.rounds)
    seconds = samples.size / spec.sample_rate_hz
    per_second = {
        name: {key: round(value / seconds, 5) if key != "count" else value for key, value in found.items()}
        for name, found in times.items()
    }
    figures = {
        "seconds": seconds,
        "frames": len(exact),
        "largest_difference_from_librosa_in_float64": differences,
        "ms_per_second_of_sound": per_second,
        "librosa_over_ours": {
            form: round(times[f"librosa_{form}"]["p50"] / times[ours]["p50"], 2)
            for form, ours in (("100_ms", "streaming_100_ms"), ("whole", "whole"))
        },
    }
    _common.print_report("front_end", bundle, figures)


if __name__ == "__main__":
    main()
