"""A law with all that a compiled pass can have, its inputs, and its equation written out."""

from functools import cache

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest

from bayescpt.laws.law import DEFAULTS, Law
from bayescpt.laws.noises.normal import NormalNoise
from bayescpt.laws.terms.shift import shift_growth

LAW = Law(DEFAULTS | {"shift": "power", "replay": "memory"})
NOISE = NormalNoise(early=True)
COLUMNS, NODES = 5, 7

COEFFICIENTS = (
    "offset", "base_ref", "alpha", "anneal_ref", "shift", "onset", "beta", "gamma",
)  # fmt: skip
SCALE = ("sigma", "early", "early_width")
FEATURES = ("log_area_start", "log_area", "shift_area", "is_cpt")
PLACES = ("first", "place")


class Pass:
    """Names of the inputs of a compiled pass in their order, and of those with a gradient."""

    law, noise = LAW, NOISE

    def __init__(self, free, data):
        self.free, self.names = free, (*free, *data)

    def of(self, values):
        """Values of the inputs, in order."""
        return [values[name] for name in self.names]

    def symbols(self):
        def kind(name):
            if name in PLACES:
                return pt.lvector(name)
            return (pt.dmatrix if name in ("mix", "basis") else pt.dvector)(name)

        return {name: kind(name) for name in self.names}


MEAN = Pass((*COEFFICIENTS, "weights"), ("keep", "basis", *FEATURES, *PLACES))
DENSITY = Pass(
    (*COEFFICIENTS, *SCALE, "nodes"),
    ("keep", "mix", "basis", *FEATURES, "fraction", "loss", *PLACES),
)


@pytest.fixture(scope="session")
def mean_pass():
    return MEAN


@pytest.fixture(scope="session")
def density_pass():
    return DENSITY


@pytest.fixture(scope="session")
def problem():
    """Function: inputs of both passes by name. One segment a beta, then one of pre-training."""
    return _problem


def _problem(beta, gamma=-1.0, keep=0.0, length=6, seed=3):
    rng = np.random.default_rng(seed)
    beta = np.r_[beta, 0.3]
    n = beta.size
    # One segment is longer than the others.
    lengths = np.full(n, length)
    lengths[0] += 1
    segment = np.repeat(np.arange(n), lengths)
    rows = segment.size
    first = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    # The third segment stands on the places of the second, as the domains of a run do.
    place = np.arange(rows) - np.where(segment > 1, first[min(2, n - 1)] - first[1], 0)
    # A segment of one row is at the end.
    step = np.concatenate([np.linspace(1.0, 0.0, size)[::-1] for size in lengths])
    area = np.interp(step, np.linspace(0, 1, 6), [0.0, 1e-9, 1e-3, 0.3, 1.0, 2.5])
    weights, mix = rng.uniform(-1, 1, NODES), rng.standard_normal((COLUMNS, NODES))
    return {
        "offset": rng.uniform(2, 4, n),
        "base_ref": rng.uniform(0, 1, n),
        "alpha": rng.uniform(0.2, 2, n),
        "anneal_ref": rng.uniform(0, 0.3, n),
        "shift": rng.uniform(-1.5, 1.5, n),
        "onset": np.full(n, 30.0),
        "beta": beta,
        "gamma": np.r_[np.broadcast_to(gamma, n - 1), -1.0],
        "sigma": rng.uniform(0.05, 0.5, n),
        # Some without early noise.
        "early": rng.uniform(0.5, 20, n) * (np.arange(n) % 3 > 0) * (np.arange(n) < n - 1),
        "early_width": rng.uniform(0.02, 0.3, n),
        "weights": mix @ weights,
        "nodes": weights,
        "keep": np.r_[np.broadcast_to(keep, n - 1), 0.0].astype(float),
        "mix": mix,
        "basis": rng.standard_normal((COLUMNS, place.max() + 1)),
        "log_area_start": rng.uniform(-0.2, 0.0, n),
        "log_area": rng.uniform(0, 0.4, rows),
        "shift_area": np.where(segment == n - 1, 0.0, area),
        "is_cpt": (np.arange(n) < n - 1).astype(float),
        "fraction": step,
        "loss": rng.uniform(2, 4, rows),
        "first": first,
        "place": place,
    }


@pytest.fixture(scope="session")
def plain_mean():
    """Function of named symbols: the law written out, as a plain graph."""
    return _plain_mean


def _plain_mean(v):
    segment = _segment(v)
    row = {name: v[name][segment] for name in (*COEFFICIENTS, "keep", "log_area_start", "is_cpt")}
    weights = v["weights"] if "weights" in v else (v["mix"] * v["nodes"]).sum(axis=1)
    anneal = (v["basis"] * weights[:, None]).sum(axis=0)[v["place"]]
    before = pt.exp(-row["alpha"] * row["log_area_start"])
    base = row["base_ref"] * (pt.exp(-row["alpha"] * v["log_area"]) - before)
    growth = shift_growth(
        v["shift_area"], row["onset"], row["beta"], pt, row["gamma"], row["keep"]
    )  # fmt: skip
    shift = row["is_cpt"] * row["shift"] * growth
    return row["offset"] + base - row["anneal_ref"] * anneal + shift


def _segment(v):
    return pt.searchsorted(v["first"], pt.arange(v["place"].shape[0]), side="right") - 1


@pytest.fixture(scope="session")
def plain_density():
    """Function of named symbols: the normal density around the law, as a plain graph."""

    def density(v):
        segment = _segment(v)
        sigma, early, width = (v[name][segment] for name in SCALE)
        scale = sigma * (1 + early * pt.exp(-v["fraction"] / width))
        z = (v["loss"] - _plain_mean(v)) / scale
        return (-0.5 * z**2 - pt.log(scale) - 0.5 * np.log(2 * np.pi)).sum()

    return density


@cache
def _compiled(function, inputs, mode):
    v = inputs.symbols()
    out = function(v)
    cotangent = out.type()
    free = [v[name] for name in inputs.free]
    slopes = pytensor.grad((out * cotangent).sum(), free)
    return pytensor.function([*v.values(), cotangent], [out, *slopes], mode=mode)


@pytest.fixture(scope="session")
def evaluated():
    """Function: a pass, or its plain graph, and the gradient by name of its weighted sum."""

    def evaluate(function, inputs, values, cotangent, mode="FAST_COMPILE"):
        out, *slopes = _compiled(function, inputs, mode)(*inputs.of(values), cotangent)
        return out, dict(zip(inputs.free, slopes, strict=True))

    return evaluate
