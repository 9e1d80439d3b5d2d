"""Annealing term that is a power of the annealing area."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from bayescpt.laws.kernels import DECAY, KERNELS
from bayescpt.laws.parameter import Parameter
from bayescpt.laws.points import References
from bayescpt.laws.term import register
from bayescpt.laws.terms.annealing import Annealing

# The power is smooth through 0, where a re-warm-up turns the sign of the area.
SMOOTH = 0.01
ZETA = Parameter(
    "anneal_zeta", "zeta", "1", ("domain",), 0.1, 5.0,
    {"dist": "LogNormal", "mu": 0.0, "sigma": 0.25},
    "reason: at 1 it is the law as published; within a factor of 1.6 either way",
    "Tissue et al., arXiv 2408.11029: a variant with C S2^zeta", DECAY,
)  # fmt: skip


@register
class ZetaAnnealing(Annealing):
    """Annealing as a power of the area: ``C S2^zeta``, a variant of arXiv 2408.11029.

    The area is scaled to 1 for a full anneal, so that `anneal_ref` means the same at any zeta. A
    negative area keeps its sign.

    Examples
    --------
    >>> from bayescpt.laws.term import Setting
    >>> term = ZetaAnnealing(Setting({"annealing": "momentum_zeta"}))
    >>> p = {"anneal_pt_ref": 0.1, "anneal_ref": 0.1, "anneal_zeta": 2.0}
    >>> f = {"anneal": np.array([-0.5, 0.0, 0.5, 1.0]), "is_cpt": 0.0}
    >>> term.value(p, f).round(3).tolist()
    [0.025, -0.0, -0.025, -0.1]
    """

    name = "momentum_zeta"
    kernel = KERNELS["momentum"]
    in_paper = False

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Those of momentum, and zeta."""
        return (*super().parameters, ZETA)

    def coefficients(
        self, p: Mapping[str, Any], f: Mapping[str, Any], xp: Any = np
    ) -> dict[str, Any]:
        """Return the size of the drop in the phase, and zeta."""
        return {**super().coefficients(p, f, xp), "anneal_zeta": p["anneal_zeta"]}

    def rows(self, c: Mapping[str, Any], f: Mapping[str, Any], xp: Any = np) -> Any:
        """Return less the drop, nats."""
        return -c["anneal_ref"] * _power(f["anneal"], c["anneal_zeta"], xp)

    def at_reference(self, p: Mapping[str, Any], refs: References, xp: Any = np) -> Any:
        """Return less the drop at the mean area at the ends of the CPT runs, nats."""
        return -p["anneal_ref"] * _power(refs["anneal_end"], p["anneal_zeta"], xp)


def _power(area: Any, zeta: Any, xp: Any) -> Any:
    """The area to the power zeta, with its sign."""
    size = (area * area + SMOOTH**2) / (1.0 + SMOOTH**2)
    return area * xp.exp(0.5 * (zeta - 1.0) * xp.log(size))
