"""MFCC of one second of speech: this front end against librosa and kaldi-native-fbank. Prints JSON.

Two forms: the second at once, and 100 ms at a time. librosa has no stream, so it gets the 100 ms with the samples that
its frames reach back over; kaldi's own stream is driven from Python, frame by frame, as its users do. librosa computes
the same numbers, which is checked; Kaldi has another mel scale and natural logarithms, so only the sizes are the same.
"numpy" is this front end where its inner loops were not built.
"""

import _common
import _targets

OTHERS = ("librosa", "kaldi")
CALLS = 5


def kaldi_options(spec):
    """Return the options of kaldi-native-fbank that ask for the same frames, mels and cepstra."""
    import kaldi_native_fbank as knf

    options = knf.MfccOptions()
    frame, mel = options.frame_opts, options.mel_opts
    frame.samp_freq, frame.dither, frame.preemph_coeff = spec.sample_rate_hz, 0.0, 0.0
    frame.frame_length_ms = 1000 * spec.window_samples / spec.sample_rate_hz
    frame.frame_shift_ms = 1000 * spec.hop_samples / spec.sample_rate_hz
    frame.window_type, frame.remove_dc_offset, frame.snip_edges = "hanning", False, True
    mel.num_bins, mel.low_freq, mel.high_freq = spec.n_mels, spec.fmin_hz, spec.fmax_hz
    options.num_ceps, options.use_energy, options.cepstral_lifter = spec.n_mfcc, False, 0.0
    return options


def kaldi_mfcc(parts, spec, options):
    """Return Kaldi's `(frames, n_mfcc)` of sound that comes in parts."""
    import kaldi_native_fbank as knf
    import numpy as np

    stream, frames = knf.OnlineMfcc(options), []
    for part in parts:
        stream.accept_waveform(spec.sample_rate_hz, part)
        frames += [stream.get_frame(i) for i in range(len(frames), stream.num_frames_ready)]
    return np.stack(frames)


def candidates(samples, spec):
    """Return the functions by name; each gives the MFCC of all samples, as far as frames are whole."""
    import numpy as np

    from overtone_models.front_end import FrontEnd, dct_matrix, hann_window, mel_filters, mfcc
    from overtone_models.loops.plain import PlainFrames

    block, reach = spec.block_frames * spec.hop_samples, spec.block_samples
    parts = [samples[i : i + block] for i in range(0, samples.size, block)]
    windows = [samples[i : i + reach] for i in range(0, samples.size - reach + 1, block)]
    options, stream, with_numpy = kaldi_options(spec), FrontEnd(spec), FrontEnd(spec)
    tables = hann_window(spec), mel_filters(spec), dct_matrix(spec)
    with_numpy._frames = PlainFrames(*tables, spec.hop_samples, spec.floor_power)

    def streaming(stream, parts):
        stream.reset()
        return np.concatenate([stream.process(part) for part in parts])

    return {
        "ours_100_ms": lambda: streaming(stream, parts),
        "numpy_100_ms": lambda: streaming(with_numpy, parts),
        "librosa_100_ms": lambda: np.concatenate([_common.librosa_mfcc(window, spec) for window in windows]),
        "kaldi_100_ms": lambda: kaldi_mfcc(parts, spec, options),
        "ours_whole": lambda: mfcc(samples, spec),
        "numpy_whole": lambda: streaming(with_numpy, [samples]),
        "librosa_whole": lambda: _common.librosa_mfcc(samples, spec),
        "kaldi_whole": lambda: kaldi_mfcc([samples], spec, options),
    }


def check_parity(runs, samples, spec):
    """Return how far our and librosa's numbers are from librosa's in float64; end where that is too far."""
    import numpy as np

    exact = _common.librosa_mfcc(samples.astype(np.float64), spec)
    differences = {}
    for name, run in runs.items():
        rows = run()
        if rows.shape[1] != exact.shape[1] or not len(exact) - spec.block_frames < len(rows) <= len(exact):
            raise SystemExit(f"front_end.py: {name} gives {rows.shape}, librosa {exact.shape}")
        if not name.startswith("kaldi"):
            differences[name] = float(np.abs(rows - exact[: len(rows)]).max())
    if max(differences.values()) > 1e-3:
        raise SystemExit(f"front_end.py: the candidates do not compute the same: {differences}")
    return differences


def main() -> None:
    """Measure and print."""
    arguments = _common.parser(__doc__).parse_args()
    _common.one_thread()
    _common.one_core()
    bundle = _common.open_bundle(arguments.bundle, arguments.size)
    spec = bundle.manifest.front_end
    sound = _common.sound(arguments, bundle)
    results: dict = {}
    for seconds in sorted({1.0, float(arguments.seconds)}):
        samples = sound[: round(seconds * spec.sample_rate_hz)]
        runs = candidates(samples, spec)
        differences = check_parity(runs, samples, spec)
        times = _common.side_by_side(runs, max(3, round(arguments.rounds / seconds)), CALLS)
        results[f"{seconds:g}_s"] = {
            "largest_difference_from_librosa_in_float64": differences,
            "ms": times,
            "times_faster": {
                f"{other}_{form}": round(times[f"{other}_{form}"]["p50"] / times[f"ours_{form}"]["p50"], 2)
                for form in ("whole", "100_ms")
                for other in (*OTHERS, "numpy")
            },
        }
    faster = results["1_s"]["times_faster"]
    name = "MFCC of 1 s, times faster than"
    targets = [_targets.at_least(f"{name} {other}", faster[f"{other}_whole"], 5.0) for other in OTHERS]
    targets += [_targets.figure(f"{name} {other}, 100 ms at a time", faster[f"{other}_100_ms"]) for other in OTHERS]
    targets.append(_targets.figure(f"{name} with numpy", faster["numpy_whole"]))
    largest = max(results["1_s"]["largest_difference_from_librosa_in_float64"].values())
    targets.append(_targets.at_most("largest difference from librosa", largest, 1e-3, "dB"))
    _common.print_report("front_end", bundle, {"sound": results, "targets": targets})


if __name__ == "__main__":
    main()
