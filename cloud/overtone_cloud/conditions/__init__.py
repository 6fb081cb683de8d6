"""Recording conditions for training and tests: noise, rooms, telephone, level."""
