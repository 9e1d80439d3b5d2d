"""Reference points, which turn areas and learning rates into numbers of order 1."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class References:
    """Reference points of a study under a law.

    Attributes
    ----------
    points : Mapping of str to float
        By name. Every law has ``area``, the forward area at which the base term is measured, LR x
        steps; ``shift_area``, the CPT forward area at which the shift is measured, LR x steps (1
        without CPT runs); ``peak_lr``, the LR whose full annealing is measured. Others belong to
        terms (`bayescpt.laws.term.Term.reference_points`).
    warmup : str
        ``true``: the LR as it was; ``peak``: a leading warm-up counts as if at its peak.

    Examples
    --------
    >>> References({"area": 6.0, "shift_area": 1.5, "peak_lr": 2e-3})["peak_lr"]
    0.002
    """

    points: Mapping[str, Any] = field(default_factory=dict)
    warmup: str = "true"

    def __getitem__(self, name: str) -> Any:
        return self.points[name]
