"""From sound to events: sources, recognisers, decisions, outputs."""
