"""Mosquitto's configuration, certificates and process."""
