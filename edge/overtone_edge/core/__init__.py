"""Foundations of the other rooms: errors, files, configuration, child processes."""
