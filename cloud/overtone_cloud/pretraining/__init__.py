"""Pretrained models: training on all speakers, conversion, model card, checks."""
