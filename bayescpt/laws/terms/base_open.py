"""Base term of runs from an open base, whose forward area is a parameter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from bayescpt.laws.functions import select
from bayescpt.laws.open_base import (
    AREA_RATIO,
    AREA_SD,
    OLD_RATIO,
    OLD_SD,
    open_area,
    pilot_lr,
)
from bayescpt.laws.parameter import Parameter
from bayescpt.laws.term import register
from bayescpt.laws.terms.base import ALPHA, BASE_REF, Base
from bayescpt.laws.terms.level import LENGTH
from bayescpt.laws.view import SMALLEST

if TYPE_CHECKING:
    from bayescpt.laws.points import References
    from bayescpt.laws.trajectory import Trajectory
    from bayescpt.laws.view import View

OPEN = Parameter(
    "open_area", "(log S1pt - m) / s", "1", (), -6.0, 6.0,
    {"dist": "Normal", "mu": 0.0, "sigma": 1.0},
    "m and s: pre-training of 25 times the median pilot's forward area, 4 to 150 times at 90%; "
    "narrower where runs.csv gives the tokens of the base (LR twice the pilots') or its size",
    "Wang et al., arXiv 2505.07796: S1pt of an open base is inferred, its S2pt = 0",
    LENGTH,
)  # fmt: skip


@register
class OpenBase(Base):
    """Change of the base term since the start checkpoint, whose area may be unknown.

    ``base_ref [ (S1/S1ref)^-alpha - (S1start/S1ref)^-alpha ]`` as in `Base`, with S1start = the
    known area + exp(m + s open_area) where pre-training has no schedule. A fit takes it in place of
    `Base` where a pilot starts from such a base.

    Examples
    --------
    >>> from bayescpt.laws.term import Setting
    >>> p = {"base_ref": 0.2, "alpha_s1": 0.5, "open_area": 0.0}
    >>> seen = {"base_spent": np.array([0.0, 3.0]), "base_start": 0.0, "base_open": 0.0}
    >>> seen |= {"base_open_sd": 1.3, "is_open": 1.0}
    >>> OpenBase(Setting({})).value(p, seen).round(3).tolist()
    [-0.0, -0.1]
    """

    name = "open"
    in_paper = False
    derived: ClassVar[Mapping[str, tuple[str, tuple[str, ...]]]] = {
        **Base.derived, "S1pt": ("LR step", ()),
    }  # fmt: skip

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Size, exponent, and the area of the open base."""
        return (BASE_REF, ALPHA, OPEN)

    def features(self, view: View, is_target: bool) -> Mapping[str, Any]:
        """Return areas over S1ref: spent in the phase, known before it, and expected of the base.

        From scratch the anchor is S1ref, so the area before the phase counts as spent.
        """
        path, ref = view.trajectory, view.refs["area"]
        spent, before = view.area[view.steps] / ref, path.start_area / ref
        if not path.is_open:
            start = before if view.is_cpt else 1.0
            spent = spent if view.is_cpt else np.maximum(spent + before, SMALLEST) - 1.0
            return {
                "base_spent": spent, "base_start": start, "base_open": 0.0, "base_open_sd": 0.0,
                "is_open": 0.0,
            }  # fmt: skip
        points = view.refs.points
        unknown = points.get("open_ratio", OLD_RATIO), points.get("open_ratio_sd", OLD_SD)
        prior = open_area(path, points["shift_area"], points["pilot_lr"], unknown)
        return {
            "base_spent": spent, "base_start": before, "base_open": np.log(prior.center / ref),
            "base_open_sd": prior.sd, "is_open": 1.0,
        }  # fmt: skip

    def coefficients(
        self, p: Mapping[str, Any], f: Mapping[str, Any], xp: Any = np
    ) -> dict[str, Any]:
        """Return size at the start checkpoint, exponent and the area before the run."""

        def _unknown() -> Any:
            return xp.exp(f["base_open"] + f["base_open_sd"] * p["open_area"])

        start = f["base_start"] + select(f["is_open"], _unknown, 0.0, xp)
        size = p["base_ref"] * xp.exp(-p["alpha_s1"] * xp.log(start))
        return {"base_ref": size, "alpha": p["alpha_s1"], "start": start}

    def rows(self, c: Mapping[str, Any], f: Mapping[str, Any], xp: Any = np) -> Any:
        """Return the change of the term since the anchor, nats."""
        return c["base_ref"] * xp.expm1(-c["alpha"] * xp.log1p(f["base_spent"] / c["start"]))

    def reference_points(
        self, fitted: Sequence[Trajectory], refs: References
    ) -> Mapping[str, float]:
        """Return the pilots' mean LR, and the prior of the first open base's area."""
        cpt = [path for path in fitted if path.is_cpt]
        lr = pilot_lr(cpt or fitted)
        opened = [path for path in cpt if path.is_open]
        points = {"pilot_lr": lr, "open_area": refs["area"], "open_sd": 0.0}
        points |= {"open_ratio": AREA_RATIO, "open_ratio_sd": AREA_SD}
        if opened:
            prior = open_area(opened[0], refs["shift_area"], lr)
            points |= {"open_area": prior.center, "open_sd": prior.sd}
        return points

    def at_reference(self, p: Mapping[str, Any], refs: References, xp: Any = np) -> Any:
        """Return the change by the area of the median CPT run, nats.

        From the area of the first open base, or from the reference area if there is none.
        """
        log_start = xp.log(refs["open_area"] / refs["area"]) + refs["open_sd"] * p["open_area"]
        more = xp.log1p(refs["shift_area"] / refs["area"] * xp.exp(-log_start))
        size = p["base_ref"] * xp.exp(-p["alpha_s1"] * log_start)
        return size * xp.expm1(-p["alpha_s1"] * more)

    def symbols(self, ref: Mapping[str, Any], refs: References, xp: Any = np) -> dict[str, Any]:
        """Return A, and S1pt of the first open base."""
        unknown = refs["open_area"] * xp.exp(refs["open_sd"] * ref["open_area"])
        return {**super().symbols(ref, refs, xp), "S1pt": unknown}
