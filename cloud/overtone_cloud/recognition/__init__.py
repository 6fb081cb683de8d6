"""How well trained networks recognise: protocols, trainings, measures on unseen speakers, a report."""
