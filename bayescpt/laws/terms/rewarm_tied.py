"""Re-warm-up term tied to annealing: what annealing had gained is lost again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from bayescpt.laws.functions import select
from bayescpt.laws.parameter import Parameter
from bayescpt.laws.term import register
from bayescpt.laws.terms.rewarm import JUMP, START, OwnRewarm, lr_rise

if TYPE_CHECKING:
    from bayescpt.laws.points import References
    from bayescpt.laws.view import View

SOURCE = "bayescpt: the re-warm-up's share of C2 S2cpt in Wang et al., arXiv 2505.07796, Eq. 4"
REWARM_SHARE = Parameter(
    "rewarm_share", "zeta / (C2 peak / (1 - lambda))", "1", ("domain",), 0.0, 10.0,
    {"dist": "LogNormal", "mu": -0.7, "sigma": 0.35},
    "runs from bases that ended at any LR meet within tens of steps: the re-warm-up takes back "
    "what annealing gains. .35 to .8 of the drop after 100 steps in the studies of the fleet",
    SOURCE, START,
)  # fmt: skip
JUMP_LEFT = replace(
    JUMP,
    default={"dist": "Normal", "mu": 0.0, "sigma": 0.15},
    reason="what the re-warm-up leaves to explain: -.07 to .11 in the studies of the fleet",
    source="bayescpt: level of the law less the loss of the start checkpoint, after the re-warm-up",
)


@register
class TiedRewarm(OwnRewarm):
    """Re-warm-up as a share of the annealing drop.

    ``rewarm_share anneal_ref rise + jump`` in nats, the rise of the LR from the start checkpoint to
    the top of the re-warm-up over the reference peak LR. Pilots from one base know the annealing
    drop, and so what a re-warm-up from another LR does.

    Examples
    --------
    >>> from bayescpt.laws.term import Setting
    >>> term = TiedRewarm(Setting({"annealing": "area", "rewarm": "tied"}))
    >>> p = {"rewarm_share": 0.5, "anneal_ref": 0.2, "jump": 0.05}
    >>> round(term.value(p, {"rise_all": 0.5, "is_cpt": 1.0}), 3)
    0.1
    """

    name = "tied"
    in_paper = False

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """``rewarm_share`` and ``jump``."""
        return (REWARM_SHARE, JUMP_LEFT)

    def features(self, view: View, is_target: bool) -> Mapping[str, Any]:
        """Return the rise of the LR over the reference peak."""
        rise = lr_rise(view.trajectory, view.refs["peak_lr"]) if view.is_cpt else 0.0
        return {"rise_all": rise}

    def coefficients(
        self, p: Mapping[str, Any], f: Mapping[str, Any], xp: Any = np
    ) -> dict[str, Any]:
        """Return the rise of the loss as the offset, nats."""
        raised = p["rewarm_share"] * p["anneal_ref"] * f["rise_all"] + p["jump"]
        return {"offset": select(f["is_cpt"], raised, 0.0, xp)}

    def at_reference(self, p: Mapping[str, Any], refs: References, xp: Any = np) -> Any:
        """Return the mean re-warm-up of the CPT runs, nats."""
        return refs["rise"] * p["rewarm_share"] * p["anneal_ref"]
