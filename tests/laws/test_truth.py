"""One truth test for every registered term: NumPy, xarray, PyTensor and the compiled pass agree."""

import operator
from dataclasses import replace
from functools import cache, reduce

import numpy as np
import pandas as pd
import pytensor
import pytest
import xarray as xr
from pytensor.compile.mode import Mode

from bayescpt.data import Study
from bayescpt.evaluate import simulate_study
from bayescpt.evaluate.several_sizes import several_sizes
from bayescpt.forecast import Draws
from bayescpt.forecast.expected import expected_curve
from bayescpt.inference.symbols import add_symbols
from bayescpt.laws.law import DEFAULTS
from bayescpt.laws.term import TERMS
from bayescpt.laws.trajectory import run_trajectory
from bayescpt.laws.view import View
from bayescpt.model.build import rows_model
from bayescpt.model.card_file import load_card, parse_card, shipped_cards
from bayescpt.model.net import sampled_point
from bayescpt.model.rows import make_rows

# No rewrites: the graph as it is written.
PLAIN = Mode(linker="py", optimizer=None)
SEEDS = (1, 2, 5)
HEAD = 'name = "truth"\ndescription = "Every term in turn."\n'
# Populations are normal, where the default prior of beta is not.
NEEDED = {
    "targets": '[priors]\nbeta = { dist = "LogNormal", mu = -1.0, sigma = 0.7, reason = "truth" }\n'
}


def law_with(slot: str, name: str, head: str = "") -> str:
    """A card in which a term is chosen, with what it needs."""
    term = TERMS[slot][name]
    choices = DEFAULTS | {"shift": "power", slot: name}
    if term.extends is not None and choices[term.extends] == "none":
        choices[term.extends] = next(iter(TERMS[term.extends]))
    rows = "\n".join(f'{key} = "{value}"' for key, value in choices.items())
    return f'{HEAD}{head}[law]\n{rows}\n[rows]\npretraining = "all"\n{NEEDED.get(slot, "")}'


def all_cards():
    """Every registered term, alone and on the paper's scale, and every shipped card."""
    for slot, names in TERMS.items():
        for name in names:
            yield f"{slot}={name}", parse_card(law_with(slot, name))
    for name in TERMS["replay"]:
        text = law_with("replay", name, 'parameterisation = "paper"\n')
        if name != "memory":  # has no symbols of its own in the paper
            yield f"paper, replay={name}", parse_card(text)
    for name in shipped_cards():
        yield name, load_card(name)


def distinct_cards():
    """Cards by name; a term that is in every law is under test in the first."""
    seen = []
    for name, card in all_cards():
        key = (card.parameterisation, card.pretraining, card.choices)
        if key not in seen:
            seen.append(key)
            yield name, card


CARDS = dict(distinct_cards())


def test_every_registered_term_is_in_some_card():
    kinds = {type(term) for card in CARDS.values() for term in card.law.terms}
    assert kinds == {term for names in TERMS.values() for term in names.values()}


@cache
def studies():
    """A study of CPT runs at replay 0, .25 and 1 and along a curriculum; one of pre-training."""
    made = simulate_study(
        replays=(0.0, 0.25, 1.0), cpt_schedules=("wsd",), eval_every=900, pt_eval_every=3000
    ).study
    lrs = dict(made.lrs)
    runs = made.runs.copy()
    curriculum = runs[runs["run"] == "r25_wsd"].assign(run="rising")
    n = made.run("r25_wsd").steps
    frames = [made.run(name).schedule.lr for name in runs["run"]]
    table = pd.concat(
        pd.DataFrame({"run": name, "step": np.arange(1, lr.size + 1), "lr": lr, "replay": np.nan})
        for name, lr in zip([*runs["run"], "rising"], [*frames, lrs["r25_wsd"]], strict=True)
    )
    table.loc[table["run"] == "rising", "replay"] = np.repeat([0.0, 0.5], [n // 2, n - n // 2])
    own = made.curves[made.curves["run"] == "r25_wsd"].assign(run="rising")
    own.loc[own["step"] > 0, "loss"] += 1e-4  # no copy of another run
    both = Study.from_frames(
        pd.concat([made.curves, own]), pd.concat([runs, curriculum]), table, name="truth",
        general=made.general,
    )  # fmt: skip
    pretraining = simulate_study(continual=False, pt_eval_every=3000).study
    return {
        (True, False): both,
        (False, False): pretraining,
        (True, True): several_sizes(both, {4.0: 0.6}),
        (False, True): several_sizes(pretraining, {4.0: 0.6}),
    }


def study_of(card):
    """The study that a card is evaluated on: of two model sizes where its law has a term for it."""
    return studies()[card.continual, card.choices.get("size", "none") != "none"]


@cache
def rows_of(name):
    """Rows of the study that a card is evaluated on."""
    return make_rows(study_of(CARDS[name]), CARDS[name])


@cache
def views_of(name):
    """Rows, path and view of every curve; those of a run at the same steps share their view."""
    study, rows = study_of(CARDS[name]), rows_of(name)
    curve = np.asarray(rows.segment["curve"])[rows.row["segment"]]
    known, out = {}, []
    for c, (run, domain) in enumerate(rows.labels.curve):
        here = np.flatnonzero(curve == c)
        steps = np.asarray(rows.row["step"])[here]
        key = (run, steps.tobytes())
        if key not in known:
            known[key] = View(run_trajectory(study, run, rows.refs.warmup), steps, rows.refs)
        out.append((here, domain, known[key].trajectory, known[key]))
    return out


def draw(card, rows, seed, changed=None):
    """Values of all parameters from their priors, some of them changed."""
    rng = np.random.default_rng(seed)
    sizes = {dim: len(names) for dim, names in rows.labels.coords().items()}
    values = {
        p.name: np.asarray(card.priors[p.name].draw(rng, tuple(sizes[d] for d in p.dims)))
        for p in card.parameters()
    }
    if card.continual and not card.law.paper:
        values["start_offset"] = rng.standard_normal(sizes["level"])
    for name, value in (changed or {}).items():
        if name in values:
            values[name] = np.full_like(values[name], value)
    return values


@cache
def mean_function(name, fused):
    """Expected loss of every row as a function of the parameters, by name."""
    card = CARDS[name]
    model = rows_model(rows_of(name), card, fused=fused)
    loss = model["loss"].owner
    mean = loss.op.dist_params(loss)[0]
    function = pytensor.function(model.free_RVs, mean, mode=PLAIN, on_unused_input="ignore")
    return lambda values: function(*[values[v.name] for v in model.free_RVs])


def means_of(values, name):
    """Expected loss of every row, by the plain graph and by the compiled pass."""
    card = CARDS[name]
    point = sampled_point(values, rows_of(name), card)
    return (mean_function(name, fused)(point) for fused in ("nothing", "mean"))


def posterior_of(points, rows, card):
    """Values at several points as a posterior of as many draws."""
    labels = rows.labels.coords()
    dims = {p.name: p.dims for p in card.parameters()} | {"start_offset": ("level",)}
    variables = {}
    for name in points[0]:
        drawn = np.stack([point[name] for point in points])[None]
        place = {dim: list(labels[dim]) for dim in dims[name]}
        place |= {"chain": [0], "draw": np.arange(len(points))}
        variables[name] = xr.DataArray(drawn, place, ("chain", "draw", *dims[name]))
    return add_symbols(xr.Dataset(variables), rows, card)


def by_numpy(points, name):
    """Expected loss of every row at every point, as a forecast has it."""
    card, rows = CARDS[name], rows_of(name)
    draws = Draws(posterior_of(points, rows, card), card, study_of(card), rows)
    out = np.empty((len(points), rows.loss.size))
    for here, domain, _, view in views_of(name):
        out[:, here] = expected_curve(draws, view, domain, np.random.default_rng(0))
    return out


def by_xarray(points, name):
    """Expected loss of every row at every point, by the law on labelled arrays."""
    card, rows = CARDS[name], rows_of(name)
    posterior = posterior_of(points, rows, card).isel(chain=0, drop=True)
    scalars = {key: value.to_numpy() for key, value in posterior.items() if value.ndim == 1}
    weights = card.law.weights(scalars, rows.refs)
    out = np.empty((len(points), rows.loss.size))
    for here, domain, path, view in views_of(name):
        is_target = path.is_cpt and path.target == domain
        at = {
            "domain": domain,
            "pair": f"{domain}|{path.target}",
            "level": f"{path.start}|{domain}",
            "sized": f"{domain}|{path.target}|{path.n_params:,.12g}",
        }
        p = {}
        for key, value in posterior.data_vars.items():
            known = {d: at[d] for d in value.dims if d in at and at[d] in value[d]}
            if len(known) == value.ndim - 1:
                p[str(key)] = value.sel(known)
        f = {key: _labelled(value) for key, value in card.law.features(view, is_target).items()}
        for key, weight in weights.items():
            f[key] = f[key] @ xr.DataArray(weight, dims=("draw", "column"))
        f |= {"is_cpt": float(path.is_cpt), "is_target": float(is_target)}
        found = card.law.value(p, f | {"replay": _labelled(view.replay)})
        out[:, here] = found.transpose("draw", "row").to_numpy()
    return out


def _labelled(value):
    return (
        value
        if np.ndim(value) == 0
        else xr.DataArray(value, dims=("row", "column")[: np.ndim(value)])
    )


def density_and_gradient(rows, card, fused):
    """Function of a point: log density of the losses and gradient by every variable.

    The density of the priors is the same graph in every model.
    """
    model = rows_model(rows, card, fused=fused)
    variables = model.value_vars
    losses = [*model.observed_RVs, *model.potentials]
    # One by one: PyTensor's Python mode adds at most 32 terms at once.
    total = reduce(operator.add, (part.sum() for part in model.logp(losses, sum=False)))
    # Means of populations move the priors alone.
    slopes = pytensor.grad(total, variables, disconnected_inputs="ignore")
    function = pytensor.function(variables, [total, *slopes], mode=PLAIN, on_unused_input="ignore")
    return model, lambda point: function(*[point[v.name] for v in variables])


@pytest.mark.parametrize("name", CARDS)
def test_the_equation_is_the_same_everywhere(name):
    card, rows = CARDS[name], rows_of(name)
    if card.continual:
        assert {0.0, 0.25, 1.0} <= set(rows.segment["replay"])
        assert np.unique(rows.segment["replay"]).size > 3
    points = [draw(card, rows, seed) for seed in SEEDS]
    known = [by_numpy(points, name)]
    if not card.law.paper:
        known.append(by_xarray(points, name))
    for k, values in enumerate(points):
        expected, compiled = means_of(values, name)
        assert np.isfinite(expected).all()
        everywhere = [compiled, *(found[k] for found in known)]
        size = np.abs(expected).max()
        for one in everywhere:
            np.testing.assert_allclose(one, expected, rtol=0, atol=1e-10 * size)


LIMITS = {
    "exponents to 0": {
        "beta": 1e-12, "share_gamma": 1e-12, "shift_peak": 0.0, "speed_peak": 0.0,
        "share_kappa": 1e-9, "alpha_s1": 1e-9, "replay_gamma": 1e-9, "replay_rate": 1e-9,
    },
    "sizes 0": {"base_ref": 0.0, "anneal_ref": 0.0, "shift_ref": 0.0, "B": 0.0, "rewarm_ref": 0.0},
    "fast": {"onset": 1e6, "E": 1e9, "beta": 3.0, "replay_eps": 1.0},
}  # fmt: skip


# Whatever a term's parameters are called: the ends of their priors.
ENDS = {"low ends": 1e-4, "high ends": 1.0 - 1e-4}


@pytest.mark.parametrize("limit", [*LIMITS, *ENDS])
@pytest.mark.parametrize("name", CARDS)
def test_limits_are_finite_and_the_same_everywhere(name, limit):
    card, rows = CARDS[name], rows_of(name)
    changed = LIMITS.get(limit) or {
        p.name: card.priors[p.name].frozen().ppf(ENDS[limit]) for p in card.law.parameters
    }
    values = draw(card, rows, 3, changed)
    expected, compiled = means_of(values, name)
    assert np.isfinite(expected).all()
    size = np.abs(expected).max()
    for found in (compiled, by_numpy([values], name)[0]):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9 * size)


# Cards whose gradients tests/model/compiled/test_density.py compares on another study; each of
# their terms is in another card here.
ELSEWHERE = ("annealing", "cpt", "cpt_replay")


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.slow) if name in ELSEWHERE else name for name in CARDS],
)
def test_gradients_are_those_of_automatic_differentiation_and_finite_differences(name):
    card = CARDS[name]
    card = card if card.marginal_effects else replace(card, run_effects=())
    rows = rows_of(name)
    model, plain = density_and_gradient(rows, card, "nothing")
    _, compiled = density_and_gradient(rows, card, "density")
    rng = np.random.default_rng(5)
    point = {
        key: value + 0.1 * rng.standard_normal(np.shape(value))
        for key, value in model.initial_point().items()
    }
    (value, *theirs), (found, *mine) = plain(point), compiled(point)
    assert found == pytest.approx(float(value), rel=1e-10)
    names = [v.name for v in model.value_vars]
    along = {key: rng.standard_normal(np.shape(value)) for key, value in point.items()}
    slope = 0.0
    for key, one, other in zip(names, mine, theirs, strict=True):
        size = max(float(np.abs(other).max()), 1e-8 * abs(float(value)))
        np.testing.assert_allclose(one, other, rtol=1e-8, atol=1e-8 * size, err_msg=key)
        slope += float(np.sum(one * along[key]))
    step = 1e-5
    ends = [
        float(compiled({key: point[key] + sign * step * along[key] for key in point})[0])
        for sign in (1, -1)
    ]
    assert slope == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=1e-4)


@pytest.mark.parametrize("name", [name for name, card in CARDS.items() if card.continual])
def test_a_continual_run_stays_at_its_start_before_its_first_step(name):
    """Every term is 0 at step 0, but a jump such as that of a re-warm-up of its own."""
    card = CARDS[name]
    study, rows = study_of(card), rows_of(name)
    draws = Draws(posterior_of([draw(card, rows, 1)], rows, card), card, study, rows)
    path = run_trajectory(study, study.cpt_runs[0])
    view = View(path, np.array([0]), rows.refs)
    flat = [term for term in card.law.terms if term.flat]
    for domain in rows.labels.domain:
        found = expected_curve(draws, view, domain, np.random.default_rng(0))[:, 0]
        p = draws.parameters(path, domain)
        f = draws.features(view, domain)
        level = draws.start_level(path, domain, np.random.default_rng(0))
        p |= {"start_level": level, "start_mean": level}
        p = card.law.adjusted(p, f)
        start = sum(term.value(p, f) for term in flat)
        np.testing.assert_allclose(found, start, rtol=1e-12)
