"""Base term: the power law in the forward area (the tokens' worth of LR spent so far)."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayescpt.laws.table import Parameter

SOURCE = (
    "Tissue et al., arXiv 2408.11029; Wang et al., arXiv 2505.07796, Eq. 4: A (S1pt + S1cpt)^-alpha"
)


def base_drop(log_area: Any, log_area_start: Any, base_ref: Any, alpha: Any, xp: Any = np) -> Any:
    """Change of the base term since the start of the run.

    ``base_ref [ (S1/S1ref)^-alpha - (S1start/S1ref)^-alpha ]``, the term ``A S1^-alpha`` of
    arXiv 2505.07796 Eq. 4 with ``base_ref = A S1ref^-alpha`` in nats.

    Parameters
    ----------
    log_area : array
        log(S1 / S1ref), shape (n_rows,).
    log_area_start : array
        The same at the level's anchor: the start checkpoint, or 0 (S1 = S1ref).
    base_ref : array
        Size of the term at S1ref, nats.
    alpha : array
        Exponent.
    xp : module
        ``numpy`` (also for xarray objects) or ``pytensor.tensor``.

    Returns
    -------
    array
        Nats; broadcast shape of the arguments.
    """
    return base_ref * (xp.exp(-alpha * log_area) - xp.exp(-alpha * log_area_start))


PARAMETERS = (
    Parameter(
        "base_ref",
        "A S1ref^-alpha",
        "nat",
        ("domain",),
        0.0,
        10.0,
        {"dist": "LogNormal", "mu": -1.2, "sigma": 0.8},
        "published fits give A = .41-.57 at alpha = .5-.7, S1 = 2-6: .1-.4 nats; one e-fold wider",
        SOURCE,
    ),
    Parameter(
        "alpha_s1",
        "alpha",
        "1",
        ("domain",),
        0.0,
        10.0,
        {"dist": "LogNormal", "mu": -0.6, "sigma": 0.15},
        "16 of the 18 published fits lie in .41-.70; one is .24, one marked unidentified. A wide "
        "prior lets the term swallow the transient after the start",
        SOURCE,
    ),
)
LEVEL_PT = Parameter(
    "level_pt",
    "L0 + A S1ref^-alpha",
    "nat",
    ("domain",),
    -5.0,
    20.0,
    {"dist": "Normal", "mu": 3.0, "sigma": 1.5},
    "token losses of language models at 10M-10B lie in 1.5-5 nats",
    SOURCE,
)
