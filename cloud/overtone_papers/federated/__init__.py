"""System A: federated emotion recognition."""
