"""Every command of `overtone` and `overtone-aggregator`."""
