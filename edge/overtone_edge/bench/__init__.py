"""Latency, memory and training time on the device: `overtone-bench`."""
