"""Model cards, and the PyMC model of a study under a card."""
