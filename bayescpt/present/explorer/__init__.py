"""The explorer of a fit: sliders for a recipe, its bands and the probability of a goal."""
