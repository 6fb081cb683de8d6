"""HTML pages from templates, and atomic file writes."""
