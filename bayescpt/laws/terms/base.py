"""Base term: the power law in the forward area (the tokens' worth of LR spent so far)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from bayescpt.errors import StudyError
from bayescpt.laws.parameter import Parameter
from bayescpt.laws.term import Term, register
from bayescpt.laws.terms.level import LENGTH, SOURCE

if TYPE_CHECKING:
    from bayescpt.laws.points import References
    from bayescpt.laws.view import View

FITS = "Wang et al., arXiv 2505.07796, Eq. 4 and the 18 published fits"
BASE_REF = Parameter(
    "base_ref", "A S1ref^-alpha", "nat", ("domain",), 0.0, 10.0,
    {"dist": "LogNormal", "mu": -1.2, "sigma": 0.8},
    "published fits give A = .41-.57 at alpha = .5-.7, S1 = 2-6: .1-.4 nats; one e-fold wider",
    SOURCE, LENGTH,
)  # fmt: skip
ALPHA = Parameter(
    "alpha_s1", "alpha", "1", ("domain",), 0.0, 10.0,
    {"dist": "LogNormal", "mu": -0.6, "sigma": 0.15},
    "16 of the 18 published fits lie in .41-.70; one is .24, one marked unidentified. A wide "
    "prior lets the term swallow the transient after the start",
    SOURCE, LENGTH,
)  # fmt: skip
A = Parameter(
    "A", "A", "nat (LR step)^alpha", ("domain",), 0.0, 50.0,
    {"dist": "LogNormal", "mu": -0.7, "sigma": 0.6},
    "published A = .41-.57; .17-.89 for models of unknown pre-training",
    FITS, LENGTH,
)  # fmt: skip
ALPHA_RAW = Parameter(
    "alpha_s1", "alpha", "1", ("domain",), 0.0, 10.0,
    {"dist": "LogNormal", "mu": -0.6, "sigma": 0.35},
    "17 of the 18 published fits lie in .24-.70; the other is marked unidentified",
    FITS, LENGTH,
)  # fmt: skip


@register
class Base(Term):
    """Change of the base term since the anchor.

    ``base_ref [ (S1/S1ref)^-alpha - (S1start/S1ref)^-alpha ]``, the term ``A S1^-alpha`` of arXiv
    2505.07796, Eq. 4, with ``base_ref = A S1ref^-alpha`` in nats.

    Examples
    --------
    >>> from bayescpt.laws.term import Setting
    >>> seen = {"log_area": np.log([1.0, 4.0]), "log_area_start": 0.0}
    >>> Base(Setting({})).value({"base_ref": 0.2, "alpha_s1": 0.5}, seen).round(3).tolist()
    [0.0, -0.1]
    """

    slot, name = "base", "power"
    derived: ClassVar[Mapping[str, tuple[str, tuple[str, ...]]]] = {
        "A": (A.unit, ("domain",)), "base_ref": ("nat", ("domain",)),
    }  # fmt: skip

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """``base_ref`` or A, and alpha."""
        return (A, ALPHA_RAW) if self.setting.paper else (BASE_REF, ALPHA)

    def features(self, view: View, is_target: bool) -> Mapping[str, Any]:
        """Return log S1 / S1ref at the steps and at the anchor, 0 (S1 = S1ref) from scratch."""
        if view.trajectory.is_open:
            raise StudyError(
                f"run {view.trajectory.name!r} starts from a base without a schedule: its forward "
                'area is unknown; a card with law.base = "open" infers it'
            )
        return {"log_area": view.log_area, "log_area_start": view.log_area_start}

    def coefficients(
        self, p: Mapping[str, Any], f: Mapping[str, Any], xp: Any = np
    ) -> dict[str, Any]:
        """Return size and exponent."""
        return {"base_ref": p["base_ref"], "alpha": p["alpha_s1"]}

    def rows(self, c: Mapping[str, Any], f: Mapping[str, Any], xp: Any = np) -> Any:
        """Return the change of the term since the anchor, nats."""
        before = xp.exp(-c["alpha"] * f["log_area_start"])
        return c["base_ref"] * (xp.exp(-c["alpha"] * f["log_area"]) - before)

    def to_reference(self, raw: Mapping[str, Any], refs: References, xp: Any = np) -> dict:
        """Return ``base_ref`` from A."""
        return {"base_ref": raw["A"] * xp.exp(-raw["alpha_s1"] * xp.log(refs["area"]))}

    def symbols(self, ref: Mapping[str, Any], refs: References, xp: Any = np) -> dict[str, Any]:
        """Return A."""
        return {"A": ref["base_ref"] * xp.exp(ref["alpha_s1"] * xp.log(refs["area"]))}

    def at_reference(self, p: Mapping[str, Any], refs: References, xp: Any = np) -> Any:
        """Return the change from the reference area by the area of the median CPT run, nats."""
        more = xp.log1p(refs["shift_area"] / refs["area"])
        return p["base_ref"] * xp.expm1(-p["alpha_s1"] * more)

    def course(self, is_cpt: bool) -> str | None:
        """Return ``base_ref``: pre-training falls by the base term."""
        return None if is_cpt else "base_ref"
