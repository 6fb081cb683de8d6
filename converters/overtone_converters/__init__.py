"""From a training run to what a device loads: streaming int8, training graph, signed bundle."""
