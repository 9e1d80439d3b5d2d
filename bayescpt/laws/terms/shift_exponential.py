"""Shift with the exponential replay response of arXiv 2505.07796, Eq. 8."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from bayescpt.laws.parameter import Parameter
from bayescpt.laws.term import register
from bayescpt.laws.terms.shift import Shift
from bayescpt.laws.terms.shift_own_share import REPLAY

SOURCE = "Wang et al., arXiv 2505.07796, Eq. 8: 1 - exp(-a r_cpt), C2 S2cpt exp(a2 r)"
RATE = Parameter(
    "replay_rate", "a", "1", ("pair",), 0.0, 100.0,
    {"dist": "LogNormal", "mu": 0.7, "sigma": 0.8},
    "a of a few units bends the response over the ratios in use (.05-.5)",
    SOURCE, REPLAY,
)  # fmt: skip
ANNEAL_REPLAY = Parameter(
    "anneal_replay", "a2", "1", ("domain",), -3.0, 3.0,
    {"dist": "Normal", "mu": 0.0, "sigma": 0.3},
    "the annealing drop changes by tens of percent between replay 0 and 1",
    SOURCE, REPLAY,
)  # fmt: skip


@register
class ExponentialShift(Shift):
    """``(1 - exp(-a (1 - r))) / (1 - exp(-a))`` is left at a replay ratio r, on every set.

    The annealing term reads ``anneal_replay``: its drop changes as exp(a2 r).

    Examples
    --------
    >>> from bayescpt.laws.term import Setting
    >>> term = ExponentialShift(Setting({"replay": "exponential"}))
    >>> left = term.response({"replay_rate": 2.0}, {"replay": np.array([0.0, 0.25, 1.0])})
    >>> left.round(3).tolist()
    [1.0, 0.898, 0.0]
    """

    slot, name, extends = "replay", "exponential", "shift"

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Those of the shift, a and a2."""
        return (*super().parameters, RATE, ANNEAL_REPLAY)

    def response(self, p: Mapping[str, Any], f: Mapping[str, Any], xp: Any = np) -> Any:
        """Return the part of the no-replay shift that is left."""
        rate = p["replay_rate"]
        return xp.expm1(-rate * (1.0 - f["replay"])) / xp.expm1(-rate)

    def reach(self, onset: Any, p: Mapping[str, Any], xp: Any = np) -> Any:
        """Return the part of B reached without replay, the response's own part in it."""
        return super().reach(onset, p, xp) * -xp.expm1(-p["replay_rate"])
