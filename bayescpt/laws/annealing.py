"""Annealing term: the drop of the loss when the LR comes down, with an inferred memory."""

from __future__ import annotations

from typing import Any

from bayescpt.laws.table import Parameter

SOURCE = (
    "Tissue et al., arXiv 2408.11029: C S2; Wang et al., arXiv 2505.07796, Eq. 4: C1 S2pt, C2 S2cpt"
)


def annealing_drop(anneal: Any, anneal_ref: Any) -> Any:
    """Drop of the loss by LR annealing, nats; negative while the LR is warming up again.

    ``C S2`` of arXiv 2408.11029 with ``anneal = S2 (1 - lambda) / peak`` (1 after a full anneal
    from the reference peak LR) and ``anneal_ref = C peak / (1 - lambda)`` in nats: C and lambda
    form a ridge, the product ``C / (1 - lambda)`` does not.

    Parameters
    ----------
    anneal : array
        Scaled annealing area, shape (n_rows,).
    anneal_ref : array
        Drop by a full anneal from the reference peak LR, nats.

    Returns
    -------
    array
        Nats.
    """
    return anneal_ref * anneal


ANNEAL = Parameter(
    "anneal_ref",
    "C2 peak / (1 - lambda)",
    "nat",
    ("domain",),
    0.0,
    5.0,
    {"dist": "LogNormal", "mu": -2.3, "sigma": 0.8},
    "published C2 = .26-.44 at peak 2e-4 and lambda .999: .05-.09 nats; small models .1-.3",
    SOURCE,
)
ANNEAL_PT = Parameter(
    "anneal_pt_ref",
    "C1 peak / (1 - lambda)",
    "nat",
    ("domain",),
    0.0,
    5.0,
    {"dist": "LogNormal", "mu": -2.3, "sigma": 0.8},
    "published C1 = .27-.49: as C2",
    SOURCE,
)
LOG_MEMORY = Parameter(
    "log_memory",
    "log 1/(1 - lambda)",
    "log step",
    (),
    0.6931471805599453,
    8.517193191416238,
    {"dist": "Normal", "mu": 4.6, "sigma": 1.5, "lower": 0.7, "upper": 8.5},
    "lambda = .999 in both papers (1000 steps); small models fit best with 10-300 steps",
    SOURCE,
)
