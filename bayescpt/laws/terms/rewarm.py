"""Re-warm-up term: the rise of the loss at the start of continual pre-training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bayescpt.data.areas import warmup_steps
from bayescpt.laws.functions import select
from bayescpt.laws.parameter import Advice, Parameter
from bayescpt.laws.pilots import another_peak, another_start
from bayescpt.laws.term import Term, register

if TYPE_CHECKING:
    from bayescpt.laws.points import References
    from bayescpt.laws.trajectory import Trajectory
    from bayescpt.laws.view import View

# The LR rises by another amount from another start, or to another peak.
START = Advice("the re-warm-up", (another_start, another_peak))
REWARM = Parameter(
    "rewarm_ref", "zeta", "nat", ("domain",), 0.0, 5.0,
    {"dist": "LogNormal", "mu": -2.3, "sigma": 0.8},
    "Ibrahim et al. (arXiv 2403.08763): a re-warm-up on the same data raises the loss by .1-.2",
    "bayescpt: the re-warm-up's share of C2 S2cpt in arXiv 2505.07796, with a separate size",
    START,
)  # fmt: skip
JUMP = Parameter(
    "jump", "delta", "nat", ("pair",), -5.0, 5.0,
    {"dist": "Normal", "mu": 0.0, "sigma": 0.5},
    "the first steps, which the early noise leaves out, move the loss by more or less than the "
    "growth that fits the rest, and the re-warm-up raises it by .1-.2",
    "bayescpt: level of the law less the loss of the start checkpoint, after the pilots' mean "
    "re-warm-up",
    START,
)  # fmt: skip


@register
class OwnRewarm(Term):
    """Re-warm-up with a separate size, in addition to the annealing area.

    ``rewarm_ref (rise - reference rise) + jump`` in nats, the rise of the LR from the start
    checkpoint to the top of the re-warm-up over the reference peak LR. Pilots with the same rise
    identify only the sum, the jump at the reference rise, and not the effect of the rise.

    Examples
    --------
    >>> from bayescpt.laws.term import Setting
    >>> term = OwnRewarm(Setting({"rewarm": "own"}))
    >>> round(term.value({"rewarm_ref": 0.2, "jump": 0.05}, {"rise": 0.5, "is_cpt": 1.0}), 3)
    0.15
    """

    slot, name = "rewarm", "own"
    phases = ("cpt",)
    net = "jump"

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """``rewarm_ref`` and ``jump``."""
        return (REWARM, JUMP)

    def features(self, view: View, is_target: bool) -> Mapping[str, Any]:
        """Return the rise less the reference rise."""
        if not view.is_cpt:
            return {"rise": 0.0}
        return {"rise": lr_rise(view.trajectory, view.refs["peak_lr"]) - view.refs["rise"]}

    def coefficients(
        self, p: Mapping[str, Any], f: Mapping[str, Any], xp: Any = np
    ) -> dict[str, Any]:
        """Return the rise of the loss as the offset, nats."""
        raised = p["rewarm_ref"] * f["rise"] + p["jump"]
        return {"offset": select(f["is_cpt"], raised, 0.0, xp)}

    def net_share(self, refs: References) -> Any:
        """Return 1 where only ends of runs are known, so that the jump is a part of them."""
        return 1.0 - refs["start_seen"]

    def reference_points(
        self, fitted: Sequence[Trajectory], refs: References
    ) -> Mapping[str, float]:
        """Return the mean rise of the CPT runs."""
        rises = [lr_rise(path, refs["peak_lr"]) for path in fitted if path.is_cpt]
        return {"rise": float(np.mean(rises)) if rises else 0.0}


def lr_rise(trajectory: Trajectory, peak_lr: float) -> float:
    """Rise of the LR from the start checkpoint to the top of the re-warm-up.

    Parameters
    ----------
    trajectory : Trajectory
        A run of continual pre-training.
    peak_lr : float
        Reference peak LR.

    Returns
    -------
    float
        Over the reference peak; negative where a run starts below the LR that its start checkpoint
        ended at.
    """
    start = 0.0 if trajectory.start_lr is None else trajectory.start_lr
    return (float(trajectory.lr[warmup_steps(trajectory.lr)]) - start) / peak_lr
