"""Sound to events: sources, recognisers, decisions, outputs."""
