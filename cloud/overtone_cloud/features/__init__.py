"""Features of corpora: computed on every core (or through Ray), kept on disk by content."""
