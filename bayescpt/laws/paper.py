"""The paper's raw symbols: their default priors, and the way to and from the reference scale."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from bayescpt.laws.features import References
from bayescpt.laws.table import Parameter

# 1 / (1 - lambda) in both papers.
PAPER_MEMORY = 1000.0
SOURCE = "Wang et al., arXiv 2505.07796, Eq. 4 and the 18 published fits"

BASE = (
    Parameter(
        "L0", "L0", "nat", ("domain",), -5.0, 20.0,
        {"dist": "Normal", "mu": 2.8, "sigma": 1.0},
        "published L0 = 1.8-3.07",
        SOURCE,
    ),
    Parameter(
        "A", "A", "nat (LR step)^alpha", ("domain",), 0.0, 50.0,
        {"dist": "LogNormal", "mu": -0.7, "sigma": 0.6},
        "published A = .41-.57; .17-.89 for models of unknown pre-training",
        SOURCE,
    ),
    Parameter(
        "alpha_s1", "alpha", "1", ("domain",), 0.0, 10.0,
        {"dist": "LogNormal", "mu": -0.6, "sigma": 0.35},
        "17 of the 18 published fits lie in .24-.70; the other is marked unidentified",
        SOURCE,
    ),
)  # fmt: skip
C1 = Parameter(
    "C1", "C1", "nat / (LR step)", ("domain",), 0.0, 100.0,
    {"dist": "LogNormal", "mu": -1.1, "sigma": 0.6},
    "published C1 = .27-.49 at lambda = .999",
    SOURCE,
)  # fmt: skip
C2 = Parameter(
    "C2", "C2", "nat / (LR step)", ("domain",), 0.0, 100.0,
    {"dist": "LogNormal", "mu": -1.2, "sigma": 0.6},
    "published C2 = .26-.44 at lambda = .999",
    SOURCE,
)  # fmt: skip
SHIFT = (
    Parameter(
        "B", "B", "nat", ("pair",), -100.0, 100.0,
        {"dist": "Normal", "mu": 0.0, "sigma": 1.0},
        "published B = -1.4 to 1.4 where E and beta are identified",
        SOURCE,
    ),
    Parameter(
        "E", "E", "1 / (LR step)", ("pair",), 0.0, 1e7,
        {"dist": "LogNormal", "mu": 4.5, "sigma": 2.0},
        "published E = 12-5662",
        SOURCE,
    ),
    Parameter(
        "beta", "beta", "1", ("pair",), 0.0, 50.0,
        {"dist": "Gamma", "alpha": 2.0, "beta": 5.0},
        "identified fits have .07-.9",
        SOURCE,
    ),
)  # fmt: skip

UNITS = {p.name: p.unit for p in (*BASE, C1, C2, *SHIFT)} | {"lambda": "1"}


def to_reference(raw: Mapping[str, Any], refs: References, xp: Any = np) -> dict[str, Any]:
    """Reference quantities from the paper's symbols.

    Parameters
    ----------
    raw : Mapping
        L0, A, alpha_s1, C1, log_memory and, for CPT, C2, B, E, beta (replay_rate if the response is
        exponential); arrays that broadcast by component.
    refs : References
        Reference points.
    xp : module
        ``numpy`` (also for xarray objects) or ``pytensor.tensor``.

    Returns
    -------
    dict
        level_pt, base_ref, anneal_pt_ref and, for CPT, anneal_ref, shift_ref, onset.
    """
    annealed = refs.peak_lr * xp.exp(raw["log_memory"])
    base_ref = raw["A"] * xp.exp(-raw["alpha_s1"] * xp.log(refs.area))
    out = {
        "base_ref": base_ref,
        "level_pt": raw["L0"] + base_ref,
        "anneal_pt_ref": raw["C1"] * annealed,
    }
    if "B" in raw:
        onset = raw["E"] * refs.shift_area
        out["anneal_ref"] = raw["C2"] * annealed
        out["onset"] = onset
        out["shift_ref"] = raw["B"] * _reach(onset, raw["beta"], raw.get("replay_rate"), xp)
    return out


def from_reference(ref: Mapping[str, Any], refs: References, xp: Any = np) -> dict[str, Any]:
    """Paper's symbols from the reference quantities; the inverse of `to_reference`.

    Parameters
    ----------
    ref : Mapping
        base_ref, alpha_s1, log_memory and, where the card has them, level_pt, anneal_pt_ref,
        anneal_ref, shift_ref, onset, beta, replay_rate.
    refs : References
        Reference points.
    xp : module
        ``numpy`` (also for xarray objects) or ``pytensor.tensor``.

    Returns
    -------
    dict
        A and, where they are defined, lambda, L0, C1, C2, B, E.
    """
    out = {"A": ref["base_ref"] * xp.exp(ref["alpha_s1"] * xp.log(refs.area))}
    if "level_pt" in ref:
        out["L0"] = ref["level_pt"] - ref["base_ref"]
    # What curves tell is the drop per unit of LR, C / (1 - lambda). A kernel without a lambda gives
    # the C of the papers' lambda, for the drop within `References.anneal_steps`.
    memory = PAPER_MEMORY
    if "log_memory" in ref:
        memory = xp.exp(ref["log_memory"])
        out["lambda"] = 1.0 - 1.0 / memory
    for name, drop in (("C1", "anneal_pt_ref"), ("C2", "anneal_ref")):
        if drop in ref:
            out[name] = ref[drop] / (refs.peak_lr * memory)
    if "shift_ref" in ref:
        out["E"] = ref["onset"] / refs.shift_area
        reach = _reach(ref["onset"], ref["beta"], ref.get("replay_rate"), xp)
        out["B"] = ref["shift_ref"] / reach
    return out


def _reach(onset: Any, beta: Any, replay_rate: Any, xp: Any) -> Any:
    """Part of B that the shift has reached at the reference area without replay."""
    reach = -xp.expm1(-beta * xp.log1p(onset))
    return reach if replay_rate is None else reach * -xp.expm1(-replay_rate)
