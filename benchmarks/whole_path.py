"""From samples to an emotion, every 100 ms: the agent's path beside the script that most people write.

The script computes librosa's MFCC of the last 3 s at every hop and gives them to the float network
in TensorFlow (compiled, fixed shape). The agent's path is the agent's own: gate, streaming MFCC, int8
network with state, head, decision, JSON. Prints JSON; times are per hop, and per second of speech.
"""

import _common

WINDOW_S = 3.0


def script(bundle, samples):
    """Return a function `(last sample) -> probabilities` as the script computes them."""
    import numpy as np

    from overtone_models.networks import edge_tcn, tf

    manifest = bundle.manifest
    spec, front_end = manifest.network, manifest.front_end
    frames = round(WINDOW_S / front_end.hop_s)
    window = (frames - 1) * front_end.hop_samples + front_end.fft_samples
    tensors = {name: tf.constant(value) for name, value in spec.layout.unflatten(bundle.weights).items()}
    states = [tf.constant(state) for state in edge_tcn.zero_states(spec)]

    @tf.function(input_signature=[tf.TensorSpec([1, frames, spec.n_features])], autograph=False)
    def network(x):
        hops, _ = edge_tcn.body(spec, tensors, x, states)
        embedding = edge_tcn.masked_statistics(hops, tf.ones(hops.shape[:2]))
        return tf.matmul(embedding, tensors["head/w"]) + tensors["head/b"]

    def decide(end):
        mfcc = _common.librosa_mfcc(samples[end - window : end], front_end)
        logits = network(bundle.standardise(mfcc)[None].astype(np.float32)).numpy()
        return manifest.calibration.probabilities(logits)[0]

    return decide, window


def agent(bundle):
    """Return the agent's hearing, its gate held open so that each hop has its full cost, and a hop recorder."""
    from overtone_edge.bench_listening import build_hearing
    from overtone_edge.recogniser import Recogniser

    class Recorder(Recogniser):
        """Keeps the last hop's probabilities."""

        def process(self, samples):
            """Return the hops that `samples` complete."""
            hops = super().process(samples)
            if hops:
                self.last = hops[-1].probabilities
            return hops

    recogniser = Recorder(bundle)
    return build_hearing(recogniser, gate_held_open=True), recogniser


def main() -> None:
    """Measure and print."""
    arguments = _common.parser(__doc__).parse_args()
    _common.one_thread()

    import time

    import numpy as np

    from overtone_edge.bench_figures import spread

    bundle = _common.open_bundle(arguments.bundle)
    samples = _common.sound(arguments, bundle)
    decide, window = script(bundle, samples)
    hearing, recogniser = agent(bundle)
    front_end = bundle.manifest.front_end
    hop = bundle.manifest.network.hop_frames * front_end.hop_samples
    # A frame reaches past its hop, so the agent's last hop ends before the last sample that came in.
    lag = hop - (front_end.fft_samples - front_end.hop_samples)
    if samples.size < window + 10 * hop:
        raise SystemExit(f"whole_path.py: --seconds must be at least {WINDOW_S + 1:g}")
    decide(window)
    ours_ms, theirs_ms, differences, agreements = [], [], [], []
    for end in range(hop, samples.size + 1, hop):
        before = time.perf_counter_ns()
        events = [event.to_json() for event in hearing.process(samples[end - hop : end])]
        between = time.perf_counter_ns()
        del events
        if end < window + hop:
            continue
        ours_ms.append((between - before) / 1e6)
        before = time.perf_counter_ns()
        wanted = decide(end - lag)
        theirs_ms.append((time.perf_counter_ns() - before) / 1e6)
        differences.append(float(np.abs(recogniser.last - wanted).max()))
        agreements.append(int(recogniser.last.argmax()) == int(wanted.argmax()))
    ours, theirs = (float(np.mean(times)) * 10 for times in (ours_ms, theirs_ms))
    figures = {
        "hops": len(ours_ms),
        "ms_per_hop": {"agent": spread(ours_ms), "script": spread(theirs_ms)},
        "mean_ms_per_second_of_speech": {"agent": round(ours, 4), "script": round(theirs, 4)},
        "script_over_agent": round(theirs / ours, 1),
        "same_label": round(float(np.mean(agreements)), 4),
        "largest_difference_of_a_probability_mean_over_hops": round(float(np.mean(differences)), 5),
        "note": "the two differ by int8 and by what lies before the 3 s, which only the agent's state has heard",
    }
    _common.print_report("whole_path", bundle, figures)


if __name__ == "__main__":
    main()
