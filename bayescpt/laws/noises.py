"""All noise models: importing a model's file registers it."""

from bayescpt.laws import noise_normal, noise_student
from bayescpt.laws.noise import NOISES

__all__ = ["NOISES", "noise_normal", "noise_student"]
