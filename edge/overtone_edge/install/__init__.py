"""Bundles: verification, self-test, loading, the model in use."""
