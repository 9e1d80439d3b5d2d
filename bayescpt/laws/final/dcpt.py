"""The D-CPT law: size, tokens and the set's own share of the mixture; monotonic in all three."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from bayescpt.laws.final.law import FinalLaw, Points, register_final_law
from bayescpt.laws.final.power import ALPHA, BETA, DATA, LEVEL, POWER_NEEDS, SIZE
from bayescpt.laws.parameter import Parameter

DCPT = "Que et al., arXiv 2406.01375"
# Share at which the response to the mixture is measured: plans replay 0 to .9.
HALF = 0.5
DATA_CPT = replace(
    DATA,
    default={"dist": "LogNormal", "mu": -2.0, "sigma": 1.0},
    reason="what tokens of continual pre-training can still bring: .02 to 1 nats",
    source=DCPT,
)
ETA = Parameter(
    "eta_r", "eta", "1", ("set",), 0.0, 10.0,
    {"dist": "LogNormal", "mu": -1.2, "sigma": 1.0},
    "how much more tokens help at a larger share: hardly (0) to in proportion (1) and beyond", DCPT,
)  # fmt: skip
MIX = Parameter(
    "mix_half", "(C - C0) ((1/2 + eps)^-gamma - (1 + eps)^-gamma)", "nat", ("set",), 0.0, 10.0,
    {"dist": "LogNormal", "mu": -2.7, "sigma": 1.0},
    "halving the share of a set costs .01 to .4 nats in published tables (2406.01375, 2407.17467)",
    DCPT,
)  # fmt: skip
GAMMA = Parameter(
    "gamma_r", "gamma", "1", ("set",), 0.0, 4.0,
    {"dist": "LogNormal", "mu": -1.5, "sigma": 0.8},
    "between nearly logarithmic (0), as replay sweeps down to 1% are, and 1/share (1)", DCPT,
)  # fmt: skip
EPS = Parameter(
    "eps_r", "eps", "1", ("set",), 0.0, 1.0,
    {"dist": "LogNormal", "mu": -6.2, "sigma": 1.5},
    "replay takes effect from hundredths of a percent to percents on: .002, within factors of 20",
    DCPT,
    outside=1e-2,
)  # fmt: skip


@register_final_law
class DomainCpt(FinalLaw):
    """``L = E + A N^-alpha + B s^eta D^-beta + C s^-gamma``, s the set's own share plus eps.

    arXiv 2406.01375, which has eps in the last term only. With it in both, the loss falls with the
    share at every share, from the fewest tokens of the fitted runs on, for any ``eta > 0`` and
    ``C > C0 = B Dmin^-beta eta (1 + eps)^(eta + gamma) / gamma``; without, ``eta >= 1`` would be
    needed, which public runs at several sizes and mixtures contradict. The other conditions (it
    falls with size and tokens, more steeply in tokens at a larger share) hold for positive
    parameters. Runs of one number of tokens do not tell ``B s^eta`` from ``C s^-gamma``: there the
    response to the share, at that number, is the latter alone.

    Examples
    --------
    >>> p = {"level": 2.0, "size_ref": 0.4, "alpha_n": 0.5, "data_ref": 0.2, "beta_d": 0.25}
    >>> p |= {"eta_r": 1.2, "mix_half": 0.1, "gamma_r": 0.5, "eps_r": 0.01}
    >>> shares = np.array([0.0, 0.5, 1.0])
    >>> at = Points(0.0, 0.0, 0.0, shares, None, 0.5)
    >>> DomainCpt(responds_to_lr=False).loss(p, at).round(3).tolist()
    [8.232, 2.0, 1.815]
    """

    name, source = "dcpt", DCPT
    own: ClassVar[tuple[Parameter, ...]] = (
        *(LEVEL, SIZE, ALPHA, DATA_CPT, BETA, ETA, MIX, GAMMA, EPS),
    )
    needs: ClassVar[Mapping[str, tuple[str, ...]]] = POWER_NEEDS | {
        "eta_r": ("tokens", "share"),
        "mix_half": ("share",),
        "gamma_r": ("share",),
        "eps_r": ("share",),
    }
    uses_share = True

    def value(self, p: Mapping[str, Any], x: Points, xp: Any = np) -> Any:
        """Return the level, and what size, tokens and the share change of it."""
        size = p["size_ref"] * (xp.exp(-p["alpha_n"] * x.size) - 1.0)
        here = xp.exp(p["eta_r"] * xp.log(x.share + p["eps_r"]))
        there = xp.exp(p["eta_r"] * xp.log(x.reference_share + p["eps_r"]))
        left = xp.exp(-p["beta_d"] * x.tokens) - x.one_budget
        data = p["data_ref"] * (left * here - (1.0 - x.one_budget) * there)
        held = xp.exp(-p["gamma_r"] * xp.log(x.share + p["eps_r"]))
        at_reference = xp.exp(-p["gamma_r"] * xp.log(x.reference_share + p["eps_r"]))
        return p["level"] + size + data + self._c(p, x, xp) * (held - at_reference)

    def _c(self, p: Mapping[str, Any], x: Points, xp: Any) -> Any:
        """C: its least value C0, and what the response to the share adds."""
        gamma, eps = p["gamma_r"], p["eps_r"]
        half = xp.exp(-gamma * xp.log(HALF + eps)) - xp.exp(-gamma * xp.log(1.0 + eps))
        most = p["data_ref"] * (xp.exp(-p["beta_d"] * x.least_tokens) - x.one_budget)
        least = most * p["eta_r"] * xp.exp((p["eta_r"] + gamma) * xp.log(1.0 + eps)) / gamma
        return least + p["mix_half"] / half

    def symbols(self, p: Mapping[str, Any], refs: Mapping[str, Any]) -> dict[str, Any]:
        """Return E, A, B and C."""
        share = refs["share"]
        x = Points(0.0, 0.0, 0.0, share, None, share, refs["least_tokens"])
        c = self._c(p, x, np)
        if refs["one_budget"]:  # B is part of C and of E
            return {"C": c}
        data = p["data_ref"] * (share + p["eps_r"]) ** p["eta_r"]
        held = c * (share + p["eps_r"]) ** -p["gamma_r"]
        return {
            "E": p["level"] - p["size_ref"] - data - held,
            "A": p["size_ref"] * refs["n_params"] ** p["alpha_n"],
            "B": p["data_ref"] * refs["tokens"] ** p["beta_d"],
            "C": c,
        }
