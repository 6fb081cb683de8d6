"""Converts trained models to what a device loads: streaming int8, training graph, signed bundle."""
