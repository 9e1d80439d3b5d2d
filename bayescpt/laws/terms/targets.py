"""Several targets: their parameters are drawn from a population, around what a covariate says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from bayescpt.laws.parameter import Advice, Parameter
from bayescpt.laws.pilots import another_peak, another_replay
from bayescpt.laws.term import TERMS, Setting, Term, register

SOURCE = "bayescpt: partial pooling of targets, learned on studies of the fleet of four targets"
ADVICE = Advice("how much targets differ", (another_replay, another_peak))

# Standard deviation between the targets of one base, in units of that of what they have in common.
BETWEEN = {
    "onset": 0.6, "beta": 1.0, "forgetting_ref": 0.65, "learning_ref": 2.0, "share_kappa": 2.0,
    "share_gamma": 1.25, "share_size": 0.7, "keep_power": 2.0, "anneal_ref": 0.2,
}  # fmt: skip
# Spread of its logarithm. A study has too few targets to tell it, and chains do not mix along a
# wide prior, see `bayescpt.laws.terms.size`.
TOLD = 0.3
# The shift is in nats, and differs by a part of its mean, in nats by this at least.
RELATIVE = "shift_ref"
LEAST = 0.02
# The mean is above 0 on sets that are not trained on, below on targets: with a mean of either sign
# chains do not pass 0. A shift of a target may have any sign. Its prior is log-normal, with a
# standard deviation of 1 and this logarithm of its median over the prior's sigma: a normal's scale.
MEDIAN = float(np.log(0.45))


def _common(name: str, dims: tuple[str, ...]) -> Parameter:
    """What the entries of a parameter have in common, standard normal."""
    default = {"dist": "Normal", "mu": 0.0, "sigma": 1.0}
    why = f"standard normal, in standard deviations of the prior of {name}"
    symbol = f"mean {name}"
    return Parameter(
        f"{name}_common", symbol, "sd", dims, -10.0, 10.0, default, why, SOURCE, ADVICE
    )


def _spread(name: str, symbol: str, median: float, why: str, told: float = TOLD) -> Parameter:
    """Standard deviation between targets."""
    default = {"dist": "LogNormal", "mu": round(float(np.log(median)), 3), "sigma": told}
    return Parameter(name, symbol, "1", (), 0.0, 50.0, default, why, SOURCE, ADVICE)


SHIFT_BETWEEN = _spread(
    "shift_ref_between", "sd shift_ref / mean", 0.7,
    "shifts of four targets of the fleet differ by .55 of their mean; a quarter more for others",
)  # fmt: skip
SHIFT_LEFT = _spread(
    "shift_ref_between", "sd shift_ref / mean", 0.25,
    "what the start loss leaves of the differences between shifts: .2 of their mean on four "
    "targets of the fleet; a quarter more for others",
)  # fmt: skip
SHIFT_SLOPE = Parameter(
    "shift_ref_slope", "d shift_ref / mean / dx", "1", ("side",), -5.0, 5.0,
    {"dist": "Normal", "mu": 0.9, "sigma": 0.3},
    "1 is a shift in proportion to what the base's loss on a target is above that on the general "
    "set; .85 and .99 on four targets of the fleet",
    SOURCE, ADVICE,
)  # fmt: skip


@register
class PooledTargets(Term):
    """Parameters of several targets, partially pooled.

    A pooled parameter has an entry for every target and side: the general set, the target and any
    other set are sides. Where mu and sigma are those of the card's prior (of the logarithm, for a
    log-normal one), entries of one side are normal around what they have in common,

        mu + sigma common / sqrt(1 + q^2), with the standard deviation sigma q / sqrt(1 + q^2),

    with a standard normal `common` and q = ``NAME_between``. Each entry alone thus has the prior of
    the card, whatever q is, and entries of a side have the correlation 1 / (1 + q^2). Entries of
    ``shift_ref`` are normal around mu + C, C = .45 sigma exp(common) and negative for targets, with
    the standard deviation r C, at least .02 nats. A target without any run has entries drawn from
    the populations. The term adds no nats of its own.

    Examples
    --------
    >>> from bayescpt.laws.term import Setting
    >>> term = PooledTargets(Setting({"shift": "power", "targets": "pooled"}))
    >>> p = {"onset_common": 0.5, "onset_between": 0.75}
    >>> mean, sd = term.population("onset", p, {}, 3.0, 1.0)
    >>> round(float(mean), 6), round(float(sd), 6)
    (3.4, 0.6)
    """

    slot, name = "targets", "pooled"
    phases = ("cpt",)
    in_paper = False
    between: ClassVar[Parameter] = SHIFT_BETWEEN

    @property
    def pooled(self) -> tuple[str, ...]:
        """Parameters of the law that are pooled."""
        return tuple(self._dims)

    @property
    def _dims(self) -> dict[str, tuple[str, ...]]:
        """Dimensions of what the entries of each pooled parameter have in common."""
        found: dict[str, tuple[str, ...]] = {}
        for term in other_terms(self.setting, self.slot):
            for parameter in term.parameters:
                if parameter.name in (RELATIVE, *BETWEEN):
                    found[parameter.name] = ("side",) if "pair" in parameter.dims else ()
        return found

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """What the entries of each pooled parameter have in common, and how much they differ."""
        known: list[Parameter] = []
        for name, dims in self._dims.items():
            known.append(_common(name, dims))
            if name == RELATIVE:
                known.append(self.between)
            else:
                why = "differences between four targets of the fleet, a quarter more for others"
                symbol = f"sd {name} / sd of the mean"
                known.append(_spread(f"{name}_between", symbol, BETWEEN[name], why))
        return tuple(known)

    def uses(self, parameter: str, is_target: bool) -> bool:
        """Return False for what entries have in common that have no part."""
        name = parameter.removesuffix("_common")
        known = other_terms(self.setting, self.slot)
        return name == parameter or all(
            term.uses(name, is_target)
            for term in known
            if name in {one.name for one in term.parameters}
        )

    def population(
        self,
        name: str,
        p: Mapping[str, Any],
        f: Mapping[str, Any],
        mu: float,
        sigma: float,
        xp: Any = np,
    ) -> tuple[Any, Any]:
        """Mean and standard deviation of the entries of a pooled parameter.

        Parameters
        ----------
        name : str
            One of `pooled`.
        p : Mapping
            Values of this term's parameters, for the side of each entry.
        f : Mapping
            Of each entry: ``covariate`` of the target, 0 at the mean of the targets with runs;
            ``is_target``.
        mu, sigma : float
            Of the card's prior.
        xp : module
            ``numpy`` or ``pytensor.tensor``.

        Returns
        -------
        mean, sd : array
            Of the parameter, or of its logarithm where its prior is log-normal.
        """
        common, between = p[f"{name}_common"], p[f"{name}_between"]
        if name == RELATIVE:
            size = sigma * xp.exp(MEDIAN + common)
            mean = mu + (1.0 - 2.0 * f["is_target"]) * size * self.response(p, f)
            return mean, xp.sqrt((between * size) ** 2 + LEAST**2)
        shared = 1.0 / xp.sqrt(1.0 + between**2)
        return mu + sigma * shared * common, sigma * between * shared

    def response(self, p: Mapping[str, Any], f: Mapping[str, Any]) -> Any:
        """Return the mean shift at a covariate over that at 0."""
        return 1.0

    def coefficients(
        self, p: Mapping[str, Any], f: Mapping[str, Any], xp: Any = np
    ) -> dict[str, Any]:
        """Return no nats: the other terms have them."""
        return {"offset": 0.0}


@register
class RegressedTargets(PooledTargets):
    """Parameters of several targets, partially pooled around what a covariate tells.

    As `PooledTargets`, with a mean shift of C (1 + b x) for targets of the covariate x
    (`bayescpt.model.population.target_covariates`): by default what the base's loss on the target
    is above that on the general set, less the mean over the targets with runs, over the root mean
    square. At b = 1 and targets harder than the general set, the shift is in proportion to it.

    Examples
    --------
    >>> from bayescpt.laws.term import Setting
    >>> term = RegressedTargets(Setting({"shift": "power", "targets": "regressed"}))
    >>> p = {"shift_ref_common": 0.0, "shift_ref_between": 0.2, "shift_ref_slope": 1.0}
    >>> f = {"covariate": np.array([-0.5, 0.5]), "is_target": 1.0}
    >>> mean, _ = term.population("shift_ref", p, f, 0.0, 2.0)
    >>> mean.round(2).tolist()
    [-0.45, -1.35]
    """

    name = "regressed"
    between = SHIFT_LEFT

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Those of pooled targets, and the slope of the shift."""
        return (*super().parameters, SHIFT_SLOPE)

    def response(self, p: Mapping[str, Any], f: Mapping[str, Any]) -> Any:
        """Return the mean shift at a covariate over that at 0."""
        return 1.0 + p["shift_ref_slope"] * f["covariate"]


def other_terms(setting: Setting, slot: str) -> list[Term]:
    """Terms of a law but that of one slot, without those that another one replaces.

    Parameters
    ----------
    setting : Setting
        Of the card.
    slot : str
        Slot to leave out.

    Returns
    -------
    list of Term
    """
    choices = {key: name for key, name in setting.choices.items() if key != slot}
    kinds = [TERMS[key][name] for key, name in choices.items() if name in TERMS.get(key, {})]
    replaced = {kind.extends for kind in kinds}
    return [kind(setting) for kind in kinds if kind.slot not in replaced]
