"""The exponential mixing law, with powers of size and tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from bayescpt.laws.final.law import FinalLaw, Points, register_final_law
from bayescpt.laws.final.power import ALPHA, BETA
from bayescpt.laws.parameter import Parameter

MIXING = "Ye et al., arXiv 2403.16952"
FLOOR = Parameter(
    "floor", "c", "nat", ("set",), 0.0, 20.0,
    {"dist": "LogNormal", "mu": 0.3, "sigma": 0.6},
    "what no mixture goes below: .6 to 3 nats at published sizes", MIXING,
)  # fmt: skip
PURE = Parameter(
    "pure", "k exp(t_j)", "nat", ("set", "source"), 0.0, 50.0,
    {"dist": "LogNormal", "mu": 0.0, "sigma": 1.0},
    "loss above the floor after training on one source alone: .1 to 7 nats", MIXING,
)  # fmt: skip


@register_final_law
class Mixing(FinalLaw):
    """``L_i = c_i + k_i exp(sum_j t_ij r_j)``, arXiv 2403.16952, with powers of size and tokens.

    Shares sum to 1, so that k adds nothing to t: the parameters are ``pure_ij = k_i exp(t_ij)``, in
    nats, what set i has above its floor after training on source j alone. Size and tokens multiply
    it by ``N^-alpha D^-beta``.

    Examples
    --------
    >>> p = {"floor": 1.0, "pure": np.array([2.0, 0.5]), "alpha_n": 0.3, "beta_d": 0.3}
    >>> at = Points(0.0, 0.0, 0.0, None, np.array([0.5, 0.5]), None)
    >>> float(Mixing(responds_to_lr=False).loss(p, at))
    2.0
    """

    name, source = "mixing", MIXING
    own: ClassVar[tuple[Parameter, ...]] = (FLOOR, PURE, ALPHA, BETA)
    needs: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "alpha_n": ("n_params",),
        "beta_d": ("tokens",),
        "pure": ("share",),
        "floor": ("share",),
    }
    uses_share = True
    uses_sources = True

    def value(self, p: Mapping[str, Any], x: Points, xp: Any = np) -> Any:
        """Return the floor and what the mixture leaves above it."""
        mixed = (xp.log(p["pure"]) * x.shares).sum(axis=-1)
        return p["floor"] + xp.exp(mixed - p["alpha_n"] * x.size - p["beta_d"] * x.tokens)
