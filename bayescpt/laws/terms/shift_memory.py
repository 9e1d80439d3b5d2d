"""Shift by a fading memory: forgetting down to a set's own share, learning from own tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from bayescpt.laws.functions import select
from bayescpt.laws.parameter import Advice, Parameter
from bayescpt.laws.pilots import another_peak
from bayescpt.laws.term import register
from bayescpt.laws.terms.shift import Shift, shift_growth
from bayescpt.laws.terms.shift_own_share import REPLAY
from bayescpt.laws.terms.shift_own_share import SOURCE as SOURCE_SHARE

if TYPE_CHECKING:
    from bayescpt.laws.points import References
    from bayescpt.laws.trajectory import Trajectory
    from bayescpt.laws.view import View

PEAK = Advice("the effect of the peak LR", (another_peak,))
# A set that is nearly all of the mixture shows no shift to measure.
LARGEST_SEEN = 0.9
# A share of exactly 0 would give 0/0 in the growth; a billionth is equivalent.
SMALLEST_SHARE = 1e-9

KAPPA = Parameter(
    "share_kappa", "kappa", "1", ("pair",), 0.0, 10.0,
    {"dist": "LogNormal", "mu": 0.0, "sigma": 0.2},
    "1: a set learns from its own tokens; repeats and transfer make it a little more or less",
    "bayescpt: target losses of the shipped study cpt_micro nearly fall on one curve in own tokens",
    REPLAY,
)  # fmt: skip
SHARE_GAMMA = Parameter(
    "share_gamma", "gamma", "1", ("pair",), -3.0, 3.0,
    {"dist": "Normal", "mu": 0.0, "sigma": 0.4},
    "0 is a rise linear in log r, as Ibrahim et al. (arXiv 2403.08763) have to German; below 0 the "
    "shift without replay saturates, as in published fits of Eq. 4",
    SOURCE_SHARE, REPLAY,
)  # fmt: skip
PEAK_EXPONENT = Parameter(
    "shift_peak", "a", "1", (), -1.0, 2.0,
    {"dist": "Normal", "mu": 0.2, "sigma": 0.2},
    "a higher peak LR forgets more (Ibrahim et al., arXiv 2403.08763: general loss after German "
    "3.22 to 3.63 from 3e-5 to 6e-4)",
    "bayescpt: shift of the sets that are not trained on times (peak / reference peak)^a",
    PEAK,
)  # fmt: skip
SPEED_EXPONENT = Parameter(
    "speed_peak", "q - .6", "1", (), -2.0, 2.0,
    {"dist": "Normal", "mu": 0.0, "sigma": 0.15},
    "with Adam a run at a quarter of the LR learns more than a quarter as fast: on cpt_micro the "
    "exponent of the LR that fits cosine, constant and low-LR runs alike is near .6",
    "bayescpt: the target's area is sum eta^.6, times (peak / reference peak)^(q - .6)",
    PEAK,
)  # fmt: skip


@register
class MemoryShift(Shift):
    """Shift by a fading memory.

    A set that is not trained on fades from memory down to its share of the mixture, and its loss
    rises as `bayescpt.laws.terms.shift.shift_growth` has it, times (peak / reference peak)^a. The
    target learns from its own tokens: its shift grows with ``share^kappa speed S`` in place of S,
    where S = sum of LR^.6 and the speed is (peak / reference peak)^(q - .6).

    Examples
    --------
    >>> from bayescpt.laws.term import Setting
    >>> term = MemoryShift(Setting({"replay": "memory"}))
    >>> p = {
    ...     "shift_ref": 0.8, "onset": 30.0, "beta": 0.2, "share_kappa": 1.0,
    ...     "share_gamma": 0.0, "shift_peak": 0.2, "speed_peak": 0.0,
    ... }
    >>> seen = {"is_target": 0.0, "log_peak": 0.0, "replay_seen": 0.0}
    >>> seen |= {"shift_area": np.array([0.0, 1.0])}
    >>> [term.value(p, seen | {"replay": replay}).round(3).tolist() for replay in (0.0, 0.25)]
    [[0.0, 0.8], [0.0, 0.543]]
    """  # fmt: skip

    slot, name, extends = "replay", "memory", "shift"
    fixed: ClassVar[tuple[str, ...]] = ("keep",)

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Those of the shift, of the share and of the peak LR."""
        return (*super().parameters, KAPPA, SHARE_GAMMA, PEAK_EXPONENT, SPEED_EXPONENT)

    def uses(self, parameter: str, is_target: bool) -> bool:
        """Return False for the share response of a target, and the token count of another set."""
        if parameter == "share_gamma":
            return not is_target
        return parameter != "share_kappa" or is_target

    def features(self, view: View, is_target: bool) -> Mapping[str, Any]:
        """Return the area that the set moves by, and the log of the peak LR."""
        seen = {"log_peak": view.log_peak, "replay_seen": view.refs["replay_seen"]}
        if is_target and view.is_cpt:
            return {**seen, "shift_area": view.own_area[view.steps]}
        return {**seen, **super().features(view, is_target)}

    def coefficients(
        self, p: Mapping[str, Any], f: Mapping[str, Any], xp: Any = np
    ) -> dict[str, Any]:
        """Return size, onset, exponents and the share that is kept."""
        target, log_peak, seen = f["is_target"], f["log_peak"], f["replay_seen"]
        own_share = select(target, (1.0 - f["replay"]) / (1.0 - seen), 1.0, xp)

        def _own_tokens() -> Any:
            share = xp.exp(p["share_kappa"] * xp.log(xp.maximum(own_share, SMALLEST_SHARE)))
            return share * xp.exp(p["speed_peak"] * log_peak)

        def _forgotten() -> Any:
            reached = shift_growth(1.0, p["onset"], p["beta"], xp, p["share_gamma"], seen)
            return xp.exp(p["shift_peak"] * log_peak) / reached

        tokens = select(target, _own_tokens, 1.0, xp)
        size = select(
            target, lambda: shift_growth(tokens, p["onset"], p["beta"], xp), _forgotten, xp
        )
        return {
            "shift": p["shift_ref"] * size,
            "onset": p["onset"] * tokens,
            "beta": p["beta"],
            "gamma": select(target, -1.0, p["share_gamma"], xp),
            "keep": select(target, 0.0, f["replay"], xp),
        }

    def reference_points(
        self, fitted: Sequence[Trajectory], refs: References
    ) -> Mapping[str, float]:
        """Return ``replay_seen``, the lowest mean replay ratio of a CPT run.

        There the size of the shift is measured: at no replay, which such runs do not show, it would
        depend on every other parameter. The paper's symbols are those of no replay.
        """
        ratios = [float(path.replay.mean()) for path in fitted if path.is_cpt]
        paper = self.setting.paper or not ratios
        return {"replay_seen": 0.0 if paper else min(LARGEST_SEEN, *ratios)}

    def rows(self, c: Mapping[str, Any], f: Mapping[str, Any], xp: Any = np) -> Any:
        """Return the shift, nats."""
        area = f["shift_area"]
        return c["shift"] * shift_growth(area, c["onset"], c["beta"], xp, c["gamma"], c["keep"])
