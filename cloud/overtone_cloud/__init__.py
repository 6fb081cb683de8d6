"""Corpora, training, federation: what runs in the cloud."""
