"""Laws of final losses: the loss at the end of a run, from its size, tokens, mixture and LR."""

from bayescpt.laws.final import chinchilla, dcpt, mixing  # registers them
from bayescpt.laws.final.law import FINAL_LAWS, FinalLaw, Points, register_final_law

__all__ = [
    "FINAL_LAWS",
    "FinalLaw",
    "Points",
    "chinchilla",
    "dcpt",
    "mixing",
    "register_final_law",
]
