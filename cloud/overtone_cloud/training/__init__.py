"""Training and evaluation of edge networks."""
