"""Shift by a fading memory whose exponents of the LR and of the shares are parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from bayescpt.laws.functions import select
from bayescpt.laws.parameter import Parameter
from bayescpt.laws.term import register
from bayescpt.laws.terms.shift import BETA, ONSET_ADVICE, shift_growth
from bayescpt.laws.terms.shift_memory import PEAK, SMALLEST_SHARE, MemoryShift, own_area
from bayescpt.laws.terms.shift_own_share import REPLAY

if TYPE_CHECKING:
    from bayescpt.laws.points import References
    from bayescpt.laws.view import View

SOURCE = "bayescpt, chosen on the runs of the fleet that are no test (docs/evidence.md)"

FORGETTING = Parameter(
    "forgetting_ref", "beta log(1 + E S1ref)", "1", ("pair",), 0.0, 50.0,
    {"dist": "LogNormal", "mu": 1.08, "sigma": 0.58},
    "what a set that is not replayed has forgotten by the reference area says how much more it "
    "loses without replay: 2 to 6 times of what it loses with a quarter on the fleet, 9 times in "
    "Ibrahim et al. (arXiv 2403.08763, German)",
    SOURCE, REPLAY,
)  # fmt: skip
LEARNING = Parameter(
    "learning_ref", "beta log(1 + E S1ref)", "1", ("pair",), 0.0, 50.0,
    {"dist": "LogNormal", "mu": 0.14, "sigma": 1.0},
    "between a sixth and nine tenths of what a target can gain is gained at the reference area in "
    "the studies of the fleet",
    SOURCE, ONSET_ADVICE,
)  # fmt: skip
SHARE_SIZE = Parameter(
    "share_size", "b", "1", ("pair",), -1.0, 2.0,
    {"dist": "Normal", "mu": 0.12, "sigma": 0.08},
    "a target that is a smaller share of the mixture is learned less well in the end, not only "
    "later: .06 to .18 in the studies of the fleet",
    SOURCE, REPLAY,
)  # fmt: skip
KEEP_POWER = Parameter(
    "keep_power", "k", "1", ("pair",), 0.0, 5.0,
    {"dist": "LogNormal", "mu": -0.45, "sigma": 0.3},
    "1: a replayed set is worth its share. Studies of the fleet: .5 to .85, a little replay keeps "
    "more than its share",
    SOURCE, REPLAY,
)  # fmt: skip
FORGET_PEAK = Parameter(
    "forget_peak", "p - .6", "1", (), -2.0, 2.0,
    {"dist": "Normal", "mu": -0.15, "sigma": 0.35},
    "forgetting at a quarter of the peak LR is more than a quarter as fast: its LR exponent is .1 "
    "to .8 in the studies of the fleet",
    SOURCE, PEAK,
)  # fmt: skip


@register
class FadeShift(MemoryShift):
    """Shift by a fading memory, as `MemoryShift`, with three more exponents.

    Both sets move by ``S = sum of LR^.6``. A set that is not trained on fades down to ``r^k`` at
    the speed (peak / reference peak)^(p - .6). The size of a target's shift is its share of the
    mixture to the power b, over that of the pilots with least replay.

    In place of beta the parameters are ``beta log(1 + onset)``, minus the logarithm of what is left
    at the reference area without replay: ``forgetting_ref`` of a set that is not trained on,
    ``learning_ref`` of the target. Pilots with replay tell little of it, and onset and beta with
    priors of their own left room for a shift a thousand times as large where nothing is replayed.

    Examples
    --------
    >>> from bayescpt.laws.term import Setting
    >>> term = FadeShift(Setting({"replay": "fade"}))
    >>> p = {
    ...     "shift_ref": 0.8, "onset": 30.0, "beta": 0.2, "share_kappa": 1.0, "share_gamma": 0.0,
    ...     "shift_peak": 0.2, "speed_peak": 0.0, "share_size": 0.1, "keep_power": 0.7,
    ...     "forget_peak": 0.0,
    ... }
    >>> seen = {"is_target": 0.0, "log_peak": 0.0, "replay_seen": 0.0}
    >>> seen |= {"shift_area": np.array([0.0, 1.0])}
    >>> [term.value(p, seen | {"replay": replay}).round(3).tolist() for replay in (0.0, 0.25)]
    [[0.0, 0.8], [0.0, 0.43]]
    """  # fmt: skip

    name = "fade"
    fixed = ()
    derived: ClassVar[Mapping[str, tuple[str, tuple[str, ...]]]] = {
        **MemoryShift.derived, "beta": (BETA.unit, BETA.dims),
    }  # fmt: skip

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Those of the fading memory, two in place of beta, and the three exponents."""
        known = super().parameters
        if not self.setting.paper:
            known = (*(one for one in known if one is not BETA), FORGETTING, LEARNING)
        return (*known, SHARE_SIZE, KEEP_POWER, FORGET_PEAK)

    def uses(self, parameter: str, is_target: bool) -> bool:
        """Return False for what only a target, or only another set, has a part in."""
        if parameter in ("share_size", "learning_ref"):
            return is_target
        if parameter in ("keep_power", "forgetting_ref"):
            return not is_target
        return super().uses(parameter, is_target)

    def adjusted(
        self, p: Mapping[str, Any], f: Mapping[str, Any], xp: Any = np
    ) -> Mapping[str, Any]:
        """Return beta, by which a set has forgotten or learned so much at the reference area."""
        if "forgetting_ref" not in p:
            return {}
        reached = select(f["is_target"], p["learning_ref"], p["forgetting_ref"], xp)
        return {"beta": reached / xp.log1p(p["onset"])}

    def symbols(self, ref: Mapping[str, Any], refs: References, xp: Any = np) -> dict[str, Any]:
        """Return E, B and beta."""
        if "forgetting_ref" not in ref:
            return super().symbols(ref, refs, xp)
        pairs = (str(label).partition("|") for label in ref["onset"]["pair"].to_numpy())
        target = ref["onset"]["pair"].copy(data=[evaluated == own for evaluated, _, own in pairs])
        beta = self.adjusted(ref, {"is_target": target.astype(float)}, xp)
        return {**super().symbols({**ref, **beta}, refs, xp), **beta}

    def features(self, view: View, is_target: bool) -> Mapping[str, Any]:
        """Return the area that the sets move by, and the log of the peak LR."""
        seen = dict(super().features(view, is_target))
        if view.is_cpt:
            seen["shift_area"] = view.shared("memory.target_area", lambda: own_area(view))
        return seen

    def coefficients(
        self, p: Mapping[str, Any], f: Mapping[str, Any], xp: Any = np
    ) -> dict[str, Any]:
        """Return size, onset, exponents and the share that is kept."""
        target, log_peak, seen = f["is_target"], f["log_peak"], f["replay_seen"]
        own_share = select(target, (1.0 - f["replay"]) / (1.0 - seen), 1.0, xp)

        def _log_share() -> Any:
            return xp.log(xp.maximum(own_share, SMALLEST_SHARE))

        def _learns() -> Any:
            return xp.exp(p["share_kappa"] * _log_share() + p["speed_peak"] * log_peak)

        speed = select(target, _learns, lambda: xp.exp(p["forget_peak"] * log_peak), xp)

        def _learned() -> Any:
            reached = shift_growth(speed, p["onset"], p["beta"], xp)
            return reached * xp.exp(p["share_size"] * _log_share())

        def _forgotten() -> Any:
            kept = _kept(seen, p, xp)
            at_seen = shift_growth(1.0, p["onset"], p["beta"], xp, p["share_gamma"], kept)
            # `rows` grow from the onset of this run's speed, to 1 at the reference area.
            alone = shift_growth(speed, p["onset"], p["beta"], xp, p["share_gamma"])
            return xp.exp(p["shift_peak"] * log_peak) * alone / at_seen

        return {
            "shift": p["shift_ref"] * select(target, _learned, _forgotten, xp),
            "onset": p["onset"] * speed,
            "beta": p["beta"],
            "gamma": select(target, -1.0, p["share_gamma"], xp),
            "keep": select(target, 0.0, lambda: _kept(f["replay"], p, xp), xp),
        }


def _kept(replay: Any, p: Mapping[str, Any], xp: Any) -> Any:
    """Share that a set which is not trained on fades down to, 0..1."""
    alone = replay < SMALLEST_SHARE

    def _power() -> Any:
        return xp.exp(p["keep_power"] * xp.log(xp.maximum(replay, SMALLEST_SHARE)))

    return select(alone, 0.0, _power, xp)
