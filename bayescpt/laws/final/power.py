"""Power laws of model size and tokens that laws of final losses share."""

from __future__ import annotations

from bayescpt.laws.parameter import Parameter

CHINCHILLA = "Hoffmann et al., arXiv 2203.15556"
LEVEL = Parameter(
    "level", "L at the reference point", "nat", ("set",), 0.0, 30.0,
    {"dist": "Normal", "mu": 2.5, "sigma": 1.5, "lower": 0.0},
    "losses of language models are .3 to 6 nats; a loss at the reference pins it", CHINCHILLA,
)  # fmt: skip
SIZE = Parameter(
    "size_ref", "A Nref^-alpha", "nat", ("set",), 0.0, 20.0,
    {"dist": "LogNormal", "mu": -1.0, "sigma": 0.8},
    "406.4 N^-.34 is .2 to .6 nats from 100M to 7B parameters", CHINCHILLA,
)  # fmt: skip
ALPHA = Parameter(
    "alpha_n", "alpha", "1", ("set",), 0.0, 3.0,
    {"dist": "LogNormal", "mu": -1.1, "sigma": 0.35},
    "published exponents .2-.5 (arXiv 2203.15556: .34; 2406.01375 by domain)", CHINCHILLA,
)  # fmt: skip
DATA = Parameter(
    "data_ref", "B Dref^-beta", "nat", ("set",), 0.0, 20.0,
    {"dist": "LogNormal", "mu": -1.0, "sigma": 0.8},
    "410.7 D^-.28 is 1.3 to .4 nats from 1e9 to 1e11 tokens; less where a base is carried on",
    CHINCHILLA,
)  # fmt: skip
BETA = Parameter(
    "beta_d", "beta", "1", ("set",), 0.0, 3.0,
    {"dist": "LogNormal", "mu": -1.3, "sigma": 0.35},
    "published exponents .15-.45 (arXiv 2203.15556: .28)", CHINCHILLA,
)  # fmt: skip
POWER_NEEDS = {
    "size_ref": ("n_params",),
    "alpha_n": ("n_params",),
    "data_ref": ("tokens",),
    "beta_d": ("tokens",),
}
