"""Level whose differences between start checkpoints wash out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from bayescpt.laws.parameter import Advice, Parameter
from bayescpt.laws.pilots import another_start
from bayescpt.laws.term import register
from bayescpt.laws.terms.level import Level

START_WASH = Parameter(
    "start_wash", "omega", "1", ("domain",), -2.0, 3.0,
    {"dist": "Normal", "mu": 0.25, "sigma": 0.2},
    "runs from bases of one study that differ in budget and last LR end nearer to each other than "
    "they start: by .2 (general set) and .3 (target) of the difference on the fleet",
    "bayescpt: share of a start checkpoint's difference that the first steps undo",
    Advice("how much of a start checkpoint's lead lasts", (another_start,)),
)  # fmt: skip


@register
class WashedLevel(Level):
    """Level of which a share is undone: ``start_level - start_wash (start_level - start_mean)``.

    ``start_mean`` is the mean level of the fitted start checkpoints on a domain, of the same model
    size where the law has a term for it, nats. Runs from one checkpoint do not identify the share,
    and do not depend on it.

    Examples
    --------
    >>> from bayescpt.laws.term import Setting
    >>> p = {"start_level": 3.0, "start_mean": 2.6, "start_wash": 0.25}
    >>> setting = Setting({"shift": "power"}, pretraining=False, continual=True)
    >>> WashedLevel(setting).value(p, {"is_cpt": 1.0})
    2.9
    """

    name = "washed"
    in_paper = False
    derived: ClassVar[Mapping[str, tuple[str, tuple[str, ...]]]] = {
        **Level.derived, "start_mean": ("nat", ("level",)),
    }  # fmt: skip

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Those of the level, and ``start_wash``."""
        return (*super().parameters, START_WASH)

    def coefficients(
        self, p: Mapping[str, Any], f: Mapping[str, Any], xp: Any = np
    ) -> dict[str, Any]:
        """Return the level of the phase as the offset."""
        if "start_level" not in p:
            return super().coefficients(p, f, xp)
        washed = p["start_level"] - p["start_wash"] * (p["start_level"] - p["start_mean"])
        return super().coefficients({**p, "start_level": washed}, f, xp)
