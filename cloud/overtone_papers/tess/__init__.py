"""System C."""
