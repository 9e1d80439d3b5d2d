"""The law of Hoffmann et al.: a floor and power laws in size and tokens; the baseline."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from bayescpt.laws.final.law import FinalLaw, Points, register_final_law
from bayescpt.laws.final.power import ALPHA, BETA, CHINCHILLA, DATA, LEVEL, POWER_NEEDS, SIZE
from bayescpt.laws.parameter import Parameter


@register_final_law
class Chinchilla(FinalLaw):
    """``L = E + A N^-alpha + B D^-beta``, arXiv 2203.15556, in nats at a reference point.

    Examples
    --------
    >>> p = {"level": 2.0, "size_ref": 0.4, "alpha_n": 0.5, "data_ref": 0.2, "beta_d": 0.25}
    >>> at = Points(np.log(4.0), 0.0, 0.0, 1.0, None, 1.0)
    >>> round(float(Chinchilla(responds_to_lr=False).loss(p, at)), 6)
    1.8
    """

    name, source = "chinchilla", CHINCHILLA
    own: ClassVar[tuple[Parameter, ...]] = (LEVEL, SIZE, ALPHA, DATA, BETA)
    needs: ClassVar[Mapping[str, tuple[str, ...]]] = POWER_NEEDS

    def value(self, p: Mapping[str, Any], x: Points, xp: Any = np) -> Any:
        """Return the level, and what size and tokens change of it."""
        size = p["size_ref"] * (xp.exp(-p["alpha_n"] * x.size) - 1.0)
        return p["level"] + size + p["data_ref"] * (xp.exp(-p["beta_d"] * x.tokens) - 1.0)

    def symbols(self, p: Mapping[str, Any], refs: Mapping[str, Any]) -> dict[str, Any]:
        """Return E, A and B."""
        return {
            "E": p["level"] - p["size_ref"] - p["data_ref"],
            "A": p["size_ref"] * refs["n_params"] ** p["alpha_n"],
            "B": p["data_ref"] * refs["tokens"] ** p["beta_d"],
        }
