"""Level: the loss at a run's anchor, which the other terms move it from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from bayescpt.laws.effect import Effect
from bayescpt.laws.functions import select
from bayescpt.laws.open_base import expected_start_area
from bayescpt.laws.parameter import Advice, Parameter
from bayescpt.laws.pilots import a_longer_run
from bayescpt.laws.term import Term, register

if TYPE_CHECKING:
    from bayescpt.laws.points import References
    from bayescpt.laws.trajectory import Trajectory
    from bayescpt.laws.view import View

SOURCE = (
    "Tissue et al., arXiv 2408.11029; Wang et al., arXiv 2505.07796, Eq. 4: A (S1pt + S1cpt)^-alpha"
)
LENGTH = Advice("how the loss falls in the long run", (a_longer_run,))
LEVEL_PT = Parameter(
    "level_pt", "L0 + A S1ref^-alpha", "nat", ("domain",), -5.0, 20.0,
    {"dist": "Normal", "mu": 3.0, "sigma": 1.5},
    "token losses of language models at 10M-10B lie in 1.5-5 nats",
    SOURCE, LENGTH,
)  # fmt: skip
L0 = Parameter(
    "L0", "L0", "nat", ("domain",), -5.0, 20.0,
    {"dist": "Normal", "mu": 2.8, "sigma": 1.0},
    "published L0 = 1.8-3.07",
    "Wang et al., arXiv 2505.07796, Eq. 4 and the 18 published fits", LENGTH,
)  # fmt: skip


def _since_start(term: Term, view: View) -> NDArray[np.float64]:
    """1, but 0 at the start checkpoint, whose loss is known."""
    return np.asarray(1.0 * (view.spent > 0) if view.is_cpt else np.ones(view.steps.size))


def _drift(term: Term, view: View) -> NDArray[np.float64]:
    """The course of a run: the logarithm of its forward area, in a CPT run from 0 to 1.

    An error of the exponents of the law grows with the logarithm: a drift in proportion to the area
    would be ten times as large on a run ten times as long.
    """
    if not view.is_cpt:
        return view.log_area
    # A fit saved before this had a drift in proportion to the area, and keeps it.
    bend = view.refs.points.get("drift_bend", 0.0)
    return np.asarray(np.log1p(bend * view.spent) / np.log1p(bend) if bend else view.spent)


# Ratios of sizes as `case_studies/learn_priors.py` finds them on the fleet: .03, .06, .1 nats.
LEVEL = Effect("level", _since_start, inherited=True, grows=False)
DRIFT = Effect("drift", _drift, inherited=True, ratio=2.0)


@register
class Level(Term):
    """Loss at the anchor: the start checkpoint of a CPT run; in pre-training S1 = S1ref.

    ``start_level`` is the loss of the start checkpoint under the law, ``level_pt`` that of
    pre-training at the reference area before any annealing (L0 + A S1ref^-alpha of arXiv
    2505.07796, Eq. 4), both in nats.

    Examples
    --------
    >>> from bayescpt.laws.term import Setting
    >>> p = {"start_level": 2.9, "level_pt": 3.2}
    >>> [Level(Setting({})).value(p, {"is_cpt": is_cpt}) for is_cpt in (1.0, 0.0)]
    [2.9, 3.2]
    """

    slot, name = "level", "anchored"
    effects = (LEVEL, DRIFT)
    derived: ClassVar[Mapping[str, tuple[str, tuple[str, ...]]]] = {
        "L0": ("nat", ("domain",)), "level_pt": ("nat", ("domain",)),
    }  # fmt: skip
    pretraining_symbols = ("L0",)

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """``L0`` on the paper's scale; ``level_pt`` where pre-training rows are fitted."""
        if self.setting.paper:
            return (L0,)
        if self.setting.continual and not self.setting.pretraining:
            return ()
        return (LEVEL_PT,)

    def coefficients(
        self, p: Mapping[str, Any], f: Mapping[str, Any], xp: Any = np
    ) -> dict[str, Any]:
        """Return the level of the phase as the offset."""
        if "level_pt" not in p:
            return {"offset": p["start_level"]}
        if "start_level" not in p:
            return {"offset": p["level_pt"]}
        return {"offset": select(f["is_cpt"], p["start_level"], p["level_pt"], xp)}

    def to_reference(self, raw: Mapping[str, Any], refs: References, xp: Any = np) -> dict:
        """Return ``level_pt`` from L0."""
        return {"level_pt": raw["L0"] + raw["base_ref"]}

    def symbols(self, ref: Mapping[str, Any], refs: References, xp: Any = np) -> dict[str, Any]:
        """Return L0; without pre-training rows from the level of the first start checkpoint.

        The annealing of pre-training is then inside it, as S2pt = 0 (a fully annealed open base).
        """
        if "level_pt" in ref:
            return {"L0": ref["level_pt"] - ref["base_ref"]}
        if "start_level" not in ref:
            return {}
        log_spent = xp.log(refs["first_start_area"] / refs["area"])
        if "open_area" in ref:
            log_spent = log_spent + refs["open_sd"] * ref["open_area"]
        return {"L0": ref["start_level"] - ref["base_ref"] * xp.exp(-ref["alpha_s1"] * log_spent)}

    def reference_points(
        self, fitted: Sequence[Trajectory], refs: References
    ) -> Mapping[str, float]:
        """Return the area of the first CPT run's start checkpoint, LR x steps, and ``drift_bend``.

        A drift of CPT runs grows as log(1 + bend s) in the area s, 1 at the reference area.
        """
        first = [path for path in fitted if path.is_cpt][:1]
        area = expected_start_area(first, refs["shift_area"]) if first else refs["area"]
        return {"first_start_area": area, "drift_bend": 1.0}
