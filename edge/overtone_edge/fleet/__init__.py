"""Rounds, releases and presence over MQTT."""
