"""System D: acoustic and text fusion."""
