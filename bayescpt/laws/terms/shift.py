"""Distribution shift: what the change of data does to the loss, a saturating power law."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from bayescpt.laws.effect import Effect
from bayescpt.laws.functions import expm1_ratio, select
from bayescpt.laws.parameter import Advice, Parameter
from bayescpt.laws.pilots import an_early_look, another_peak
from bayescpt.laws.term import Term, register

if TYPE_CHECKING:
    from bayescpt.laws.points import References
    from bayescpt.laws.view import View

SOURCE = "Wang et al., arXiv 2505.07796, Eq. 4: B (1 - (1 + E S1cpt)^-beta)"
FITS = "Wang et al., arXiv 2505.07796, Eq. 4 and the 18 published fits"
# A lower peak spreads the onset over more steps.
ONSET_ADVICE = Advice("the onset of the shift", (an_early_look, another_peak))
NO_SHARE = 1e-300

SHIFT_REF = Parameter(
    "shift_ref", "B (1 - (1 + E S1ref)^-beta)", "nat", ("pair",), -10.0, 10.0,
    {"dist": "Normal", "mu": 0.0, "sigma": 2.0},
    "published shifts without replay: +.2 to +1.4 on the general set, -.4 to -1.4 on the "
    "domain, more on a language never seen; the sign is left free, as at high replay the "
    "general shift can be negative",
    SOURCE, ONSET_ADVICE,
)  # fmt: skip
ONSET = Parameter(
    "onset", "E S1ref", "1", ("pair",), 0.0, 1e7,
    {"dist": "LogNormal", "mu": 4.0, "sigma": 2.0},
    "published E = 12-5662 at S1 = 1-2: e^3 to e^9",
    SOURCE, ONSET_ADVICE,
)  # fmt: skip
BETA = Parameter(
    "beta", "beta", "1", ("pair",), 0.0, 50.0,
    {"dist": "Gamma", "alpha": 2.0, "beta": 5.0},
    "identified fits have .07-.9; beta -> 0 is the logarithm, so mass near 0 is wanted",
    SOURCE, ONSET_ADVICE,
)  # fmt: skip
B = Parameter(
    "B", "B", "nat", ("pair",), -100.0, 100.0,
    {"dist": "Normal", "mu": 0.0, "sigma": 1.0},
    "published B = -1.4 to 1.4 where E and beta are identified",
    FITS, ONSET_ADVICE,
)  # fmt: skip
E = Parameter(
    "E", "E", "1 / (LR step)", ("pair",), 0.0, 1e7,
    {"dist": "LogNormal", "mu": 4.5, "sigma": 2.0},
    "published E = 12-5662",
    FITS, ONSET_ADVICE,
)  # fmt: skip
BETA_RAW = Parameter(
    "beta", "beta", "1", ("pair",), 0.0, 50.0,
    {"dist": "Gamma", "alpha": 2.0, "beta": 5.0},
    "identified fits have .07-.9",
    FITS, ONSET_ADVICE,
)  # fmt: skip


def shift_growth(
    area: Any, onset: Any, beta: Any, xp: Any = np, gamma: Any = -1.0, keep: Any = 0.0
) -> Any:
    """Growth of the shift with the forward area, 1 at the reference area without replay.

    ``h(s) / h(1)`` with ``h(s) = (1 - (1 + onset s)^-beta) / beta``, which tends to
    ``log(1 + onset s)`` as beta -> 0: the factor of B in arXiv 2505.07796, Eq. 4.

    With `gamma` and `keep` it is the growth of forgetting by a fading memory: the weights are worth
    a share ``w = keep + (1 - keep) (1 + onset s)^-beta`` of the set, which falls from 1 to the
    set's own share of the mixture, and its loss rises as ``h = (w^-gamma - 1) / (gamma beta)``
    (``-log w / beta`` as gamma -> 0), after the share response of arXiv 2406.01375. Without replay
    gamma = -1 is the law above.

    Parameters
    ----------
    area : array
        S1cpt / S1ref, shape (n_rows,).
    onset : array
        ``E S1ref``, dimensionless.
    beta : array
        Exponent, >= 0; > 0 where `keep` is.
    xp : module
        ``numpy`` (also for xarray objects), ``pytensor.tensor`` or a substitute.
    gamma : array
        Exponent of the share.
    keep : array
        Own share of the set in the mixture, 0..1.

    Returns
    -------
    array
        0 at the start; broadcast shape of the arguments.

    Examples
    --------
    >>> shift_growth(np.array([0.0, 1.0]), 30.0, 0.2).tolist()
    [0.0, 1.0]
    """
    log_s, log_one = xp.log1p(onset * area), xp.log1p(onset)
    # Without replay, -log(w) / beta equals log_s to the last bit, even as beta -> 0.
    alone = keep < NO_SHARE
    fading, rate = select(alone, 0.0, 1.0 - keep, xp), select(alone, 1.0, beta, xp)

    def _faded() -> Any:
        # log1p and expm1 are accurate where little has faded yet.
        return -xp.log1p(fading * xp.expm1(-beta * log_s)) / rate

    faded = select(alone, log_s, _faded, xp)
    bend = gamma * beta
    grown = faded * expm1_ratio(bend * faded, xp)
    return grown / (log_one * expm1_ratio(bend * log_one, xp))


def _spent_logarithm(term: Term, view: View) -> NDArray[np.float64]:
    """A fixed shape near that of the shift."""
    if not view.is_cpt:
        return view.log_area
    return np.asarray(np.log1p(50.0 * view.spent) / np.log(51.0))


EFFECT = Effect("shift", _spent_logarithm)


@register
class Shift(Term):
    """Shift without a replay response: ``shift_ref h(s) / h(1)`` in nats, see `shift_growth`.

    Examples
    --------
    >>> from bayescpt.laws.term import Setting
    >>> p = {"shift_ref": 0.8, "onset": 30.0, "beta": 0.2}
    >>> seen = {"shift_area": np.array([0.0, 0.1, 1.0])}
    >>> Shift(Setting({"shift": "power"})).value(p, seen).round(3).tolist()
    [0.0, 0.39, 0.8]
    """

    slot, name = "shift", "power"
    phases = ("cpt",)
    effects = (EFFECT,)
    net = "shift_ref"
    derived: ClassVar[Mapping[str, tuple[str, tuple[str, ...]]]] = {
        "B": (B.unit, ("pair",)), "E": (E.unit, ("pair",)),
        "shift_ref": ("nat", ("pair",)), "onset": ("1", ("pair",)),
    }  # fmt: skip

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Size, onset and exponent, on either scale."""
        return (B, E, BETA_RAW) if self.setting.paper else (SHIFT_REF, ONSET, BETA)

    def features(self, view: View, is_target: bool) -> Mapping[str, Any]:
        """Return the area of continual pre-training over its reference; 0 in pre-training."""
        return {"shift_area": view.spent if view.is_cpt else np.zeros(view.steps.size)}

    def coefficients(
        self, p: Mapping[str, Any], f: Mapping[str, Any], xp: Any = np
    ) -> dict[str, Any]:
        """Return size, onset and exponent."""
        size = p["shift_ref"] * self.response(p, f, xp)
        return {"shift": size, "onset": p["onset"], "beta": p["beta"]}

    def response(self, p: Mapping[str, Any], f: Mapping[str, Any], xp: Any = np) -> Any:
        """Part of the no-replay shift that is left at a replay ratio.

        Parameters
        ----------
        p : Mapping
            Values of the parameters.
        f : Mapping
            Segment features: ``replay`` and ``is_target``.
        xp : module
            ``numpy``, ``pytensor.tensor`` or a substitute.

        Returns
        -------
        array
            1: this law has no replay.
        """
        return 1.0

    def rows(self, c: Mapping[str, Any], f: Mapping[str, Any], xp: Any = np) -> Any:
        """Return the shift, nats."""
        return c["shift"] * shift_growth(f["shift_area"], c["onset"], c["beta"], xp)

    def net_share(self, refs: References) -> Any:
        """Return 1 where curves show how runs start, so that the shift is what is left."""
        return refs["start_seen"]

    def course(self, is_cpt: bool) -> str | None:
        """Return ``shift_ref``: continual pre-training moves the loss by the shift."""
        return "shift_ref" if is_cpt else None

    def to_reference(self, raw: Mapping[str, Any], refs: References, xp: Any = np) -> dict:
        """Return the shift at the reference area, and the onset there."""
        onset = raw["E"] * refs["shift_area"]
        return {"onset": onset, "shift_ref": raw["B"] * self.reach(onset, raw, xp)}

    def symbols(self, ref: Mapping[str, Any], refs: References, xp: Any = np) -> dict[str, Any]:
        """Return E and B."""
        onset = ref["onset"]
        return {
            "E": onset / refs["shift_area"],
            "B": ref["shift_ref"] / self.reach(onset, ref, xp),
        }

    def reach(self, onset: Any, p: Mapping[str, Any], xp: Any = np) -> Any:
        """Part of B that the shift has reached at the reference area without replay.

        Parameters
        ----------
        onset : array
            ``E S1ref``.
        p : Mapping
            Values of the parameters.
        xp : module
            ``numpy`` (also for xarray objects) or ``pytensor.tensor``.

        Returns
        -------
        array
            0..1.
        """
        return -xp.expm1(-p["beta"] * xp.log1p(onset))
