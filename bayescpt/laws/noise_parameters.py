"""Parameters of the noise models that come with the package."""

from __future__ import annotations

from bayescpt.laws.parameter import Parameter

SOURCE = "bayescpt"

SIGMA = Parameter(
    "sigma", "sigma", "nat", ("domain",), 0.0, 1.0,
    {"dist": "LogNormal", "mu": -4.6, "sigma": 1.0},
    "jitter plus short-lived discrepancy: .0003-.001 nats on 100M-scale curves, .01 on small ones",
    SOURCE,
    # Start wide: with a tiny scale around a wrong curve, the density is a cliff.
    start=0.2,
)  # fmt: skip
SIGMA_PT = Parameter(
    "sigma_pt", "sigma_pt", "nat", ("domain",), 0.0, 5.0,
    {"dist": "LogNormal", "mu": -3.9, "sigma": 1.2},
    "pre-training rows have a separate scale, so a curve that the law does not fit there "
    "has little weight",
    SOURCE,
    start=0.2,
)  # fmt: skip
NU = Parameter(
    "nu", "nu", "1", (), 0.0, 1000.0,
    {"dist": "Gamma", "alpha": 2.0, "beta": 0.1},
    "Juarez and Steel (2010): from heavy tails to near normal",
    SOURCE,
)  # fmt: skip
EARLY = (
    Parameter(
        "early", "kappa", "1", ("domain",), 0.0, 1000.0,
        {"dist": "LogNormal", "mu": 1.6, "sigma": 0.8},
        "the first 10% after a re-warm-up deviates several times more than the rest",
        SOURCE,
    ),
    Parameter(
        "early_width", "w", "1", ("domain",), 0.001, 1.0,
        {"dist": "LogNormal", "mu": -3.5, "sigma": 0.4},
        "the bump is over after some percent of the run",
        SOURCE,
    ),
)  # fmt: skip
CORRELATION_LENGTH = Parameter(
    "corr_fraction", "ell", "1", ("domain",), 0.0, 10.0,
    {"dist": "LogNormal", "mu": -3.5, "sigma": 0.7},
    "short-range correlation: a few percent of a run. Longer ones absorb the law's discrepancy",
    SOURCE,
)  # fmt: skip
DOMAIN_CORRELATION = Parameter(
    "domain_corr", "rho", "1", ("other",), -1.0, 1.0,
    {"dist": "Uniform", "lower": -0.95, "upper": 0.95},
    "general and domain residuals of one step share the weights they are measured on",
    SOURCE,
)  # fmt: skip
