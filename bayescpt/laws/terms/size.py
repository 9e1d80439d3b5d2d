"""Model size: what of the law differs between models of several sizes, by exponents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from bayescpt.errors import StudyError
from bayescpt.laws.parameter import Advice, Parameter
from bayescpt.laws.pilots import another_size
from bayescpt.laws.term import Term, register

if TYPE_CHECKING:
    from bayescpt.laws.points import References
    from bayescpt.laws.trajectory import Trajectory
    from bayescpt.laws.view import View

SOURCE = "after Wang et al., arXiv 2505.07796, Eq. 7: a term of a model of N parameters times N^g"
FLEET = "bayescpt: partial pooling of sizes, learned on studies of the fleet of three sizes"
SIZES = Advice("how the law changes with the model size", (another_size,))


def _exponent(name: str, symbol: str, dims: tuple[str, ...], sigma: float, why: str) -> Parameter:
    """Exponent of the model size, normal around 0."""
    prior = {"dist": "Normal", "mu": 0.0, "sigma": sigma}
    return Parameter(name, symbol, "1", dims, -2.0, 2.0, prior, why, SOURCE, SIZES)


BASE = _exponent(
    "size_base", "g of A", ("domain",), 0.2,
    "the exponents of Eq. 7 are 0 for the base term; what is left of pre-training may differ",
)  # fmt: skip
ANNEAL = _exponent(
    "size_anneal", "g2", ("domain",), 0.2, "published g2 = .20 (general set), .145 (domain)"
)
ANNEAL_PT = _exponent(
    "size_anneal_pt", "g1", ("domain",), 0.2, "published g1 = .235 (general set), .012 (domain)"
)
SHIFT = _exponent(
    "size_shift", "g of B", ("pair",), 0.15,
    "the shift does not depend on the size in arXiv 2505.07796, up to 1.7B",
)  # fmt: skip
SPEED = _exponent(
    "size_speed", "g of E", ("pair",), 0.3,
    "at the same factor of the base's peak LR models of all sizes move about as fast",
)  # fmt: skip
KEEP = _exponent(
    "size_keep", "g of k", (), 0.15, "how much a little replay keeps may differ between sizes"
)
JUMP = Parameter(
    "size_jump", "d delta / d log N", "nat", ("pair",), -1.0, 1.0,
    {"dist": "Normal", "mu": 0.0, "sigma": 0.05},
    "what the first steps do beyond the re-warm-up may differ by some hundredths of a nat",
    FLEET, SIZES,
)  # fmt: skip


# Spread of the logarithm of that standard deviation. Two or three sizes of one study cannot tell
# it, and chains do not mix along a wide prior: where the losses fix the deviations of sizes, these
# and their standard deviation are a curved ridge.
TOLD = 0.15


def _deviation(name: str, symbol: str, median: float, why: str) -> tuple[Parameter, Parameter]:
    """Standard deviation of sizes around their power law, and the deviation of each."""
    prior = {"dist": "LogNormal", "mu": float(np.log(median)), "sigma": TOLD}
    spread = Parameter(f"{name}_sd", f"sd of log {symbol}", "1", (), 0.0, 3.0, prior, why, FLEET,
                       SIZES)  # fmt: skip
    standard = {"dist": "Normal", "mu": 0.0, "sigma": 1.0}
    of_size = Parameter(
        f"{name}_offset", f"log {symbol} off its power law", "sd", ("sized",), -10.0, 10.0,
        standard, f"standard normal, times {name}_sd", FLEET, SIZES,
    )  # fmt: skip
    return spread, of_size


SHIFT_OFF = _deviation(
    "size_shift", "B", 0.05,
    "shifts of three sizes lie about 4% off a line, on four targets; a quarter more for others",
)  # fmt: skip
SPEED_OFF = _deviation(
    "size_speed", "E", 0.19,
    "speeds of three sizes lie about 15% off a line, on four targets; a quarter more for others",
)  # fmt: skip
FLOOR = Parameter(
    "size_floor", "F Nref^-g3", "nat", ("domain",), 0.0, 10.0,
    {"dist": "LogNormal", "mu": 0.2, "sigma": 0.5},
    "published F = 2.7-3.1, g3 = .19 with N in millions: 1.2 nats at 106M",
    "Wang et al., arXiv 2505.07796, Eq. 7: F N^-g3", SIZES,
)  # fmt: skip
FLOOR_EXPONENT = Parameter(
    "size_floor_exponent", "g3", "1", ("domain",), 0.0, 2.0,
    {"dist": "LogNormal", "mu": -1.6, "sigma": 0.4},
    "published g3 = .195 and .189; .34 in arXiv 2203.15556",
    "Wang et al., arXiv 2505.07796, Eq. 7: F N^-g3", SIZES,
)  # fmt: skip
# Parameter that each exponent scales.
SCALED = {
    "base_ref": "size_base", "anneal_ref": "size_anneal", "anneal_pt_ref": "size_anneal_pt",
    "shift_ref": "size_shift", "onset": "size_speed", "keep_power": "size_keep",
}  # fmt: skip


@register
class Size(Term):
    """Sizes and speeds of the other terms times ``(N / Nref)^g``.

    N is the number of parameters of a run's model, Nref the geometric mean of the fitted runs', so
    that ``log_size`` = log N / Nref is 0 there. The jump of the re-warm-up changes by
    ``size_jump`` log N / Nref, the level of pre-training by ``F (N^-g3 - Nref^-g3)``; the level of
    continual pre-training is the measured loss of a start checkpoint of that size. Shift and speed
    of every size deviate from the power law by a factor, drawn from a population, so that sizes
    that disagree are partially pooled and a size without runs has wider bands. It adds no nats of
    its own.

    Examples
    --------
    >>> from bayescpt.laws.term import Setting
    >>> term = Size(Setting({"annealing": "area", "shift": "power", "size": "power"}))
    >>> p = {"shift_ref": 0.8, "onset": 30.0, "size_shift": -0.1, "size_speed": 0.0}
    >>> {k: float(round(v, 3)) for k, v in term.adjusted(p, {"log_size": np.log(10.0)}).items()}
    {'shift_ref': 0.635, 'onset': 30.0}
    """

    slot, name = "size", "power"
    in_paper: ClassVar[bool] = False

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Exponents of what the law has."""
        setting = self.setting
        known = [BASE]
        if setting.continual:
            known += [ANNEAL, SHIFT, SPEED, *SHIFT_OFF, *SPEED_OFF]
            known += [KEEP] if setting.choices.get("replay") == "fade" else []
            known += [JUMP] if setting.choices.get("rewarm") in ("own", "tied") else []
        if not setting.continual or setting.pretraining:
            known += [ANNEAL_PT, FLOOR, FLOOR_EXPONENT]
        return tuple(known)

    def features(self, view: View, is_target: bool) -> Mapping[str, Any]:
        """Return log N / Nref; 0 where no fitted run has a size."""
        size, middle = view.trajectory.n_params, view.refs["size"]
        if not middle:
            return {"log_size": 0.0}
        if size is None:
            raise StudyError(
                f"run {view.trajectory.name!r} has no n_params, but the others of the study have: "
                "give the number of parameters of its model or of its start checkpoint's"
            )
        return {"log_size": float(np.log(size / middle))}

    def adjusted(
        self, p: Mapping[str, Any], f: Mapping[str, Any], xp: Any = np
    ) -> Mapping[str, Any]:
        """Return sizes and speeds as they are at the run's model size."""
        away = f["log_size"]
        out = {}
        for name, exponent in SCALED.items():
            if name not in p or exponent not in p:
                continue
            power = p[exponent] * away
            if f"{exponent}_sd" in p:
                power = power + p[f"{exponent}_sd"] * p[f"{exponent}_offset"]
            out[name] = p[name] * xp.exp(power)
        if "jump" in p and "size_jump" in p:
            out["jump"] = p["jump"] + p["size_jump"] * away
        if "level_pt" in p and "size_floor" in p:
            fallen = xp.expm1(-p["size_floor_exponent"] * away)
            out["level_pt"] = p["level_pt"] + p["size_floor"] * fallen
        return out

    def coefficients(
        self, p: Mapping[str, Any], f: Mapping[str, Any], xp: Any = np
    ) -> dict[str, Any]:
        """Return no nats: the other terms have them."""
        return {"offset": 0.0}

    def reference_points(
        self, fitted: Sequence[Trajectory], refs: References
    ) -> Mapping[str, float]:
        """Return ``size``, the geometric mean of the fitted runs' sizes; 0 where none is known."""
        known = [path.n_params for path in fitted if path.n_params is not None]
        return {"size": float(np.exp(np.mean(np.log(known)))) if known else 0.0}
