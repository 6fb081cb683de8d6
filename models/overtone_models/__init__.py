"""What a model is: labels, front end, weight layout, bundle; and the network definitions."""
