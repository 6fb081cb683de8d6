"""One step of training on a full batch: the bundle's TFLite file against TensorFlow, with the same network.

TensorFlow runs its own automatic gradients of the plain network in a compiled graph
(`tf.function`), also with XLA. The weights after ten steps are compared. Prints JSON; all on one core, CPU time.
"""

import _common
import _targets

LEARNING_RATE, MOMENTUM = 0.01, 0.9
STEPS = 10
STEPS_AT_ONCE = {"head": 20, "full": 1}
TOLERANCE = 1e-4


class Reference:
    """The plain network, its weights and its compiled step of SGD with momentum."""

    def __init__(self, bundle, scope, *, xla):
        from overtone_models.networks import edge_tcn, tf

        self.tf, self.net = tf, edge_tcn
        self.spec, self.scope = bundle.manifest.network, scope
        layout = bundle.manifest.layout
        names = {t.name for t in layout.tensors if scope == "full" or t.head}
        tensors = layout.unflatten(bundle.weights)
        self.variables = {name: tf.Variable(value) for name, value in tensors.items() if name in names}
        self.velocity = {name: tf.Variable(tf.zeros_like(value)) for name, value in self.variables.items()}
        self.train = tf.function(self._train, jit_compile=xla, autograph=False)

    def _train(self, x, y, weight):
        tf = self.tf
        with tf.GradientTape() as tape:
            losses = tf.nn.softmax_cross_entropy_with_logits(y, self._logits(x))
            loss = tf.reduce_sum(losses * weight) / tf.reduce_sum(weight)
        for name, gradient in tape.gradient(loss, self.variables).items():
            self.velocity[name].assign(MOMENTUM * self.velocity[name] + gradient)
            self.variables[name].assign_sub(LEARNING_RATE * self.velocity[name])
        return loss

    def _logits(self, x):
        tf, embedding = self.tf, x
        if self.scope == "full":
            states = [tf.constant(state) for state in self.net.zero_states(self.spec, x.shape[0])]
            hops, _ = self.net.body(self.spec, self.variables, x, states)
            embedding = self.net.masked_statistics(hops, tf.ones(hops.shape[:2]))
        return tf.matmul(embedding, self.variables["head/w"]) + self.variables["head/b"]

    def weights(self):
        """Return the flat weights."""
        return self.tf.concat([self.tf.reshape(v, [-1]) for v in self.variables.values()], 0).numpy()


def measure(bundle, scope, rounds):
    """Return the times of both scopes' candidates and how far their weights are apart after ten steps."""
    import numpy as np

    from overtone_edge.bench.training import batch_of
    from overtone_edge.hearing.runtime import TrainingGraph

    graph = TrainingGraph(bundle.training_model)
    batch = batch_of(graph, scope)
    graph.set(scope, bundle.weights[bundle.manifest.layout.scope_slice(scope)].copy())
    references = {
        name: Reference(bundle, scope, xla=xla) for name, xla in (("tensorflow", False), ("tensorflow_xla", True))
    }
    tensors = [references["tensorflow"].tf.constant(part) for part in batch]

    def ours():
        return graph.train(scope, *batch, lr=LEARNING_RATE, momentum=MOMENTUM)

    candidates = {"tflite": ours}
    candidates |= {name: lambda step=one: step.train(*tensors).numpy() for name, one in references.items()}
    for _ in range(STEPS):
        for step in candidates.values():
            step()
    weights = graph.get(scope)[0]
    differences = {name: float(np.abs(one.weights() - weights).max()) for name, one in references.items()}
    if max(differences.values()) > TOLERANCE:
        raise SystemExit(f"training_step.py: {scope} gives other weights: {differences}, limit is {TOLERANCE}")
    times = _common.side_by_side(candidates, rounds, STEPS_AT_ONCE[scope])
    return {
        "batch_shape": list(batch[0].shape),
        f"largest_difference_of_a_weight_after_{STEPS}_steps": differences,
        "ms_per_step": times,
        "tensorflow_over_tflite": {name: round(times[name]["p50"] / times["tflite"]["p50"], 2) for name in references},
    }


def main() -> None:
    """Measure and print."""
    arguments = _common.parser(__doc__).parse_args()
    _common.one_thread()
    _common.one_core()
    bundle = _common.open_bundle(arguments.bundle, arguments.size)
    results = {scope: measure(bundle, scope, arguments.rounds) for scope in ("head", "full")}
    full = results["full"]["ms_per_step"]
    targets = [
        _targets.at_most(
            "full step over TensorFlow's compiled step", full["tflite"]["p50"] / full["tensorflow"]["p50"], 1.0
        ),
        _targets.figure("full step, CPU", full["tflite"]["p50"], "ms"),
        _targets.at_most("head step, CPU", results["head"]["ms_per_step"]["tflite"]["p50"], 0.1, "ms"),
    ]
    _common.print_report("training_step", bundle, {**results, "targets": targets})


if __name__ == "__main__":
    main()
