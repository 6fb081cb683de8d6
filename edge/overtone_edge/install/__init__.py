"""Bundles: verified, tested on this device, loaded."""
