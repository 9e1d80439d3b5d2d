"""Model cards, and the PyMC model that a card makes of a study."""
