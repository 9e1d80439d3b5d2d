"""Terms from outside the package in the compiled pass."""

import numpy as np
import pytest

from bayescpt.laws.functions import select
from bayescpt.laws.parameter import Parameter
from bayescpt.laws.term import Setting, Term, register, unregister
from bayescpt.model.build import rows_model
from bayescpt.model.compiled.layout import layout
from bayescpt.model.rows import make_rows


class Singular(Term):
    """Not finite at 0, where lanes are empty: powers, quotients, a logarithm, and conditions."""

    slot, name = "toy", "singular"

    @property
    def parameters(self):
        normal = {"dist": "Normal", "mu": 0.0, "sigma": 0.5}
        return (
            Parameter("toy_size", "c", "nat", ("domain",), -9, 9, normal, "a test", "a test"),
            Parameter("toy_power", "k", "1", (), -9, 9, normal, "a test", "a test"),
        )

    def features(self, view, is_target):
        return {"toy_left": 1.0 * view.fraction, "toy_sign": float(is_target) - 0.5}

    def coefficients(self, p, f, xp=np):
        return {"size": p["toy_size"], "power": p["toy_power"] + 0.0 * p["toy_size"]}

    def rows(self, c, f, xp=np):
        left, sign = f["toy_left"], f["toy_sign"]
        risen = 0.01 * (sign * left) ** -3 + 0.1 * left ** c["power"] + xp.log(left) / left
        # Half of a run is a row of the study.
        step = select(left <= 0.5, c["size"], 0.3, xp) + select(left >= 0.5, 0.0, c["size"], xp)
        return select(sign > 0.0, c["size"] * risen, step, xp)


class Warming(Term):
    """A term of pre-training alone, with a coefficient that is the same for all segments."""

    slot, name, phases = "warming", "pretraining", ("pt",)

    @property
    def parameters(self):
        normal = {"dist": "Normal", "mu": 0.0, "sigma": 0.5}
        return (Parameter("warming", "w", "nat", (), -9, 9, normal, "a test", "a test"),)

    def features(self, view, is_target):
        return {"warming_left": 1.0 - view.fraction}

    def coefficients(self, p, f, xp=np):
        return {"warming": p["warming"], "rate": 3.0}

    def rows(self, c, f, xp=np):
        return c["warming"] * xp.exp(-c["rate"] * f["warming_left"])


@pytest.fixture(autouse=True)
def registered():
    for term in (Singular, Warming):
        register(term)
    yield
    for term in (Singular, Warming):
        unregister(term)


def test_density_and_mean_are_those_of_the_plain_graph(
    study, card, logp_and_gradient, near, same_density
):
    made = card(
        '[law]\nshift = "power"\ntoy = "singular"\nwarming = "pretraining"\n[noise]\nearly = true'
    )
    rows = make_rows(study, made)
    assert 0.5 in rows.row["fraction"]
    assert rows.row["toy_left"].min() > 0
    plans = {one.slot: one for one in layout(made.law).terms}
    assert plans["toy"].code.condition == "f_toy_sign_of > 0.0"
    assert plans["toy"].code.yes.singular
    assert plans["warming"].phases == ("pt",)
    models = [rows_model(rows, made, fused=part) for part in ("nothing", "density", "mean")]
    point = near(models[0], 4)
    expected, *others = (logp_and_gradient(model)(point) for model in models)
    own = {p.name for term in (Singular, Warming) for p in term(Setting({})).parameters}
    assert all(np.abs(expected[1][name]).min() > 0 for name in own)
    for found in others:
        same_density(found, expected)
