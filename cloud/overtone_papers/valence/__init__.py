"""System B: valence from a multitask DCGAN."""
