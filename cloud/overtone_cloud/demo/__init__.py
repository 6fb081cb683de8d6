"""The demonstration of the whole path."""
