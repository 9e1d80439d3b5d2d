"""Laws of final losses: both libraries agree, published equations and numbers hold."""

from dataclasses import fields, replace

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from pytensor.compile.mode import Mode

from bayescpt.errors import CardError, PlanError
from bayescpt.laws.final import FINAL_LAWS, FinalLaw, Points, register_final_law
from bayescpt.laws.final.cmr import PUBLISHED_CMR, cmr_law
from bayescpt.laws.final.dcpt import DomainCpt
from bayescpt.laws.final.mixing import Mixing
from bayescpt.model.final_card import final_cards, load_final_card

PLAIN = Mode(linker="py", optimizer=None)
N = 7


def drawn(law, seed, n=N, sources=3):
    """Values of the parameters, drawn from the priors, and points."""
    rng = np.random.default_rng(seed)
    priors = load_final_card(law.name).priors
    p = {}
    for parameter in FINAL_LAWS[law.name](True).parameters:
        shape = (n, sources) if "source" in parameter.dims else (n,)
        prior = priors.get(parameter.name)
        values = rng.uniform(-0.1, 0.1, shape) if prior is None else prior.draw(rng, shape)
        p[parameter.name] = np.clip(values, parameter.lower + 1e-3, parameter.upper)
    size, tokens, lr = rng.normal(size=(3, n))
    share, there = rng.uniform(size=n), rng.uniform(size=n)
    shares = rng.dirichlet(np.ones(sources), n)
    return p, Points(size, tokens, lr, share, shares, there, tokens.min())


@pytest.mark.parametrize("name", sorted(FINAL_LAWS))
@pytest.mark.parametrize("seed", [1, 2])
def test_numpy_and_pytensor_agree_and_are_finite(name, seed):
    law = FINAL_LAWS[name](True)
    p, x = drawn(law, seed)
    known = {key: pt.as_tensor(value) for key, value in p.items()}
    at = Points(**{f.name: pt.as_tensor(getattr(x, f.name)) for f in fields(x)})
    graph = law.loss(known, at, pt)
    compiled = pytensor.function([], graph, mode=PLAIN)()
    np.testing.assert_allclose(compiled, law.loss(p, x), rtol=1e-12)
    assert np.isfinite(compiled).all()


@pytest.mark.parametrize("name", sorted(FINAL_LAWS))
def test_every_parameter_moves_the_loss(name):
    law = FINAL_LAWS[name](True)
    p, x = drawn(law, 3)
    for key, value in p.items():
        assert not np.allclose(law.loss({**p, key: value * 1.3}, x), law.loss(p, x)), key


def test_dcpt_is_the_published_equation():
    law = DomainCpt(False)
    p, _ = drawn(law, 4)
    rng = np.random.default_rng(5)
    n_params, tokens, share = (
        10 ** rng.uniform(8, 10, N),
        10 ** rng.uniform(9, 11, N),
        rng.uniform(size=N),
    )
    refs = {
        "n_params": 1e9,
        "tokens": 2e10,
        "share": 0.4,
        "one_budget": 0.0,
        "least_tokens": np.log(1e9 / 2e10),
    }
    s = law.symbols(p, refs)
    published = (
        s["E"]
        + s["A"] / n_params ** p["alpha_n"]
        + s["B"] * (share + p["eps_r"]) ** p["eta_r"] / tokens ** p["beta_d"]
        + s["C"] / (share + p["eps_r"]) ** p["gamma_r"]
    )
    x = Points(
        np.log(n_params / 1e9), np.log(tokens / 2e10), 0.0, share, None, 0.4, refs["least_tokens"]
    )
    np.testing.assert_allclose(law.loss(p, x), published, rtol=1e-8)


@pytest.mark.parametrize("one_budget", [0.0, 1.0])
def test_dcpt_is_monotonic_for_any_draw_of_the_priors(one_budget):
    law = DomainCpt(False)
    p, _ = drawn(law, 6, n=400)
    p = {key: value[:, None] for key, value in p.items()}
    share = np.linspace(0.0, 1.0, 201)[None]
    least = 0.0 if one_budget else -2.0

    def _loss(size, tokens):
        return law.loss(p, Points(size, tokens, 0.0, share, None, 0.5, least, one_budget))

    for tokens in (least, 0.0, 3.0):
        losses = _loss(0.0, tokens)
        assert (np.diff(losses, axis=1) < 1e-9).all()
        assert (_loss(0.5, tokens) <= losses).all()
        later = _loss(0.0, tokens + 0.5)
        assert (later <= losses + 1e-9).all()
        # Tokens help more at a larger share.
        assert (np.diff(later - losses, axis=1) < 1e-9).all()


def test_without_its_bound_on_c_the_loss_would_rise_with_the_share():
    """The negative control of the monotonicity."""
    law = DomainCpt(False)
    p = {"level": 2.0, "size_ref": 0.1, "alpha_n": 0.3, "data_ref": 0.5, "beta_d": 0.3}
    p |= {"eta_r": 1.5, "mix_half": 0.01, "gamma_r": 0.3, "eps_r": 0.01}
    share = np.linspace(0.1, 1.0, 50)
    bound = law._c(p, Points(0.0, 0.0, 0.0, share, None, 0.5), np)
    free = 0.5 * share**1.5 + 0.01 * bound * (share + 0.01) ** -0.3
    assert (np.diff(free) > 0).any()


def test_mixing_is_the_published_equation():
    rng = np.random.default_rng(7)
    c, k, t = 1.2, 0.8, rng.normal(size=3)
    shares = rng.dirichlet(np.ones(3), N)
    p = {"floor": c, "pure": k * np.exp(t), "alpha_n": 0.3, "beta_d": 0.3}
    x = Points(0.0, 0.0, 0.0, None, shares, None)
    published = c + k * np.exp(shares @ t)
    np.testing.assert_allclose(Mixing(False).loss(p, x), published, rtol=1e-12)


def test_published_critical_ratios_to_a_tenth_of_a_point():
    found = [100 * float(cmr_law(100 * 200e6, fit)) for fit in PUBLISHED_CMR.values()]
    assert np.round(found, 1).tolist() == [29.8, 34.9, 41.4, 47.8]
    with pytest.raises(PlanError, match="above 0"):
        cmr_law(0.0, PUBLISHED_CMR[460e6])


def test_a_reference_point_changes_nothing_of_the_level():
    for name, kind in FINAL_LAWS.items():
        p, x = drawn(kind(True), 8)
        at = replace(x, size=0.0, tokens=0.0, lr=0.0, share=x.reference_share)
        if name != "mixing":
            np.testing.assert_allclose(kind(True).loss(p, at), p["level"], rtol=1e-10)


def test_registry_and_cards():
    assert set(final_cards()) == set(FINAL_LAWS)

    class Second(FinalLaw):
        name = "dcpt"

    with pytest.raises(CardError, match="registered already"):
        register_final_law(Second)
    with pytest.raises(CardError, match="no card 'cpt' for final losses"):
        load_final_card("cpt")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[law]\nfinal = "dctp"\n', "law.final = 'dctp'; allowed are"),
        ('[law]\nfinal = "dcpt"\nlr = 1\n', "law.lr = 1; expected true or false"),
        ('[law]\nfinal = "dcpt"\nreplay = "memory"\n', "unknown replay; allowed are final"),
        ('[law]\nshift = "power"\n', "unknown shift"),
        (
            '[law]\nfinal = "dcpt"\n[priors.eta_r]\ndist = "Normal"\nmu = 1.0\nsigma = 1.0\n'
            'reason = "free"\n',
            "outside 0..10",
        ),
    ],
)
def test_wrong_cards(tmp_path, text, message):
    file = tmp_path / "own.toml"
    file.write_text(f'name = "own"\ndescription = "d"\n{text}')
    with pytest.raises(CardError, match=message):
        load_final_card(file)
