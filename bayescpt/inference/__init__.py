"""Compile a sampler once, sample, check convergence, save and load fits."""

from bayescpt.inference.card_check import default_card
from bayescpt.inference.checks import Check
from bayescpt.inference.ensemble import Ensemble
from bayescpt.inference.fit import Fit
from bayescpt.inference.load_fit import load_fit
from bayescpt.inference.sample import fit
from bayescpt.inference.sensitivity import prior_sensitivity

__all__ = [
    "Check",
    "Ensemble",
    "Fit",
    "default_card",
    "fit",
    "load_fit",
    "prior_sensitivity",
]
