"""Labelled speech, training in a child process, the personal head."""
