"""Feature extraction for corpora: computed on every core or a Ray cluster, cached on disk by content."""
