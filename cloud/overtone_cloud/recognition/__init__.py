"""Recognition benchmark: protocols, trainings, measures on unseen speakers, report."""
