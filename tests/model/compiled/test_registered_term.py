"""A term from outside the package whose equation is not finite at 0, where lanes are empty."""

import numpy as np
import pytest

from bayescpt.laws.functions import select
from bayescpt.laws.parameter import Parameter
from bayescpt.laws.term import Term, register, unregister
from bayescpt.model.build import rows_model
from bayescpt.model.compiled.layout import layout
from bayescpt.model.rows import make_rows


class Singular(Term):
    """Powers, quotients, a logarithm and conditions of a feature that is above 0 on every row."""

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


@pytest.fixture
def singular():
    register(Singular)
    yield Singular
    unregister(Singular)


@pytest.mark.parametrize("law", ["", 'shift = "power"\nreplay = "memory"\n'])
def test_density_and_mean_are_those_of_the_plain_graph(
    study, card, logp_and_gradient, near, same_density, singular, law
):
    made = card(f'[law]\n{law}toy = "singular"\n[noise]\nearly = true')
    rows = make_rows(study, made)
    assert 0.5 in rows.row["fraction"]
    assert rows.row["toy_left"].min() > 0
    (plan,) = (term for term in layout(made.law).terms if term.slot == "toy")
    assert plan.code.condition == "f_toy_sign_of > 0.0"
    assert plan.code.yes.singular
    models = [rows_model(rows, made, fused=part) for part in ("nothing", "density", "mean")]
    point = near(models[0], 4)
    expected, *others = (logp_and_gradient(model)(point) for model in models)
    for found in others:
        same_density(found, expected)
