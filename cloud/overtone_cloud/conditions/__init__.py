"""Conditions that speech is heard under, for trainings and for tests: noise, rooms, telephone, loudness."""
