"""A fit for users of ArviZ and PyMC: its DataTree, its model, and their own draws."""

from dataclasses import replace

import arviz as az
import numpy as np
import pymc as pm
import pytensor
import pytest
import xarray as xr

import bayescpt as bc
from bayescpt.errors import FitError
from bayescpt.forecast import Draws
from bayescpt.inference.idata import prior_draws, sampled_dims
from bayescpt.inference.likelihood import RowDistribution
from bayescpt.model.build import rows_model
from bayescpt.model.card_file import load_card, parse_card, shipped_cards
from bayescpt.model.fitted_card import fitted_card
from bayescpt.model.net import sampled_point
from bayescpt.model.rows import make_rows

CHAINED = """
name = "chained"
description = "Heavy tails, and rows that depend on each other."
[law]
shift = "power"
replay = "own_share"
[noise]
family = "student_t"
early = true
ar1 = true
domain_correlation = true
"""
CARDS = [*shipped_cards(), "chained"]


def card_of(name):
    return parse_card(CHAINED) if name == "chained" else load_card(name)


@pytest.fixture(scope="module")
def idata(small_fit):
    return small_fit.idata


@pytest.mark.parametrize("name", CARDS)
def test_log_likelihood_is_that_of_the_model(study, name):
    card = card_of(name)
    rows = make_rows(study, card)
    prior = prior_draws(card, rows, np.random.default_rng(2)).isel(draw=[0, 1])
    ours = RowDistribution(Draws(prior, card, study, rows)).log_likelihood()
    assert ours.shape == (2, rows.loss.size)
    model = rows_model(rows, card, fused="nothing", starts=False)
    points = [
        sampled_point(
            {n: prior[n].isel(chain=0, draw=k).to_numpy() for n in sampled_dims(card)}, rows, card
        )
        for k in range(2)
    ]
    # One graph for both draws.
    inputs = {name: pytensor.shared(np.asarray(value)) for name, value in points[0].items()}
    theirs = pytensor.function([], pm.do(model, inputs).logp(), mode="FAST_COMPILE")
    for k, point in enumerate(points):
        for name, value in point.items():
            inputs[name].set_value(np.asarray(value))
        assert ours[k].sum() == pytest.approx(float(theirs()), rel=1e-9)


@pytest.mark.parametrize("name", ["cpt_replay", "chained"])
def test_predictions_have_the_moments_of_the_likelihood(study, name):
    card = card_of(name)
    rows = make_rows(study, card)
    one = prior_draws(card, rows, np.random.default_rng(3)).isel(draw=[0])
    many = one.isel(draw=np.zeros(1000, dtype=int)).assign_coords(draw=np.arange(1000))
    if name == "chained":
        many["nu"] = many["nu"] * 0 + 50.0
    found = RowDistribution(Draws(many, card, study, rows))
    unit = (found.sample(np.random.default_rng(4)) - found.mean) / found.scale
    assert abs(unit.mean(axis=0)).max() < 5 / np.sqrt(1000)
    spread = np.sqrt(50 / 48) if name == "chained" else 1.0
    assert abs(unit.std(axis=0) / spread - 1).max() < 5 / np.sqrt(2 * 1000)


def test_every_sampled_variable_is_known(small_fit):
    names = {variable.name.removesuffix("_net") for variable in small_fit.model.free_RVs}
    assert names == set(sampled_dims(small_fit.card))


def test_groups_and_their_labels(small_fit, study, idata):
    assert {
        "prior", "posterior", "posterior_predictive", "log_likelihood", "observed_data",
        "constant_data", "sample_stats", "log_prior", "prior_predictive",
    } <= set(idata.children)  # fmt: skip
    curves = study.curves.set_index(["run", "domain", "step"])["loss"]
    observed = idata["observed_data"]["loss"]
    labels = [observed[name].to_numpy() for name in ("run", "domain", "step")]
    where = list(zip(*labels, strict=True))
    np.testing.assert_allclose(observed, curves.loc[where])
    assert len(set(where)) == observed.size
    for group in ("log_likelihood", "posterior_predictive"):
        assert idata[group]["loss"].dims == ("chain", "draw", "obs")
        assert list(idata[group]["run"].to_numpy()) == list(labels[0])
    names = {p.name for p in small_fit.card.parameters()}
    assert names <= set(idata["prior"].data_vars) & set(idata["posterior"].data_vars)
    assert names <= set(idata["log_prior"].data_vars)
    assert not [n for n in idata["posterior"].data_vars if n.startswith(("effect_", "discrep"))]


def test_statistics_are_those_of_the_kept_draws(small_fit):
    # An extension keeps every 4th draw, but all statistics, for the checks.
    thin = replace(small_fit, posterior=small_fit.posterior.isel(draw=slice(None, None, 3)))
    stats = thin.idata["sample_stats"].to_dataset()
    assert dict(stats.sizes) == {"chain": 2, "draw": thin.posterior.sizes["draw"]}
    np.testing.assert_array_equal(
        stats["energy"], small_fit.sample_stats["energy"][:, ::3].to_numpy()
    )
    assert {"diverging", "energy", "tree_depth", "lp"} <= set(stats.data_vars)


def test_arviz_takes_it(idata, tmp_path):
    table = az.summary(idata, var_names=["sigma"], ci_prob=0.9)
    assert len(table) == 2
    az.diagnose(idata)
    az.extract(idata)
    az.plot_trace(idata, var_names=["sigma"])
    az.plot_ppc_dist(idata)
    az.plot_ppc_dist(idata, group="prior_predictive")
    az.plot_prior_posterior(idata, var_names=["sigma"])
    idata.to_netcdf(tmp_path / "idata.nc", engine="h5netcdf")


@pytest.mark.filterwarnings("ignore:Estimated shape parameter of Pareto")
def test_arviz_scores_it(idata):
    assert az.loo(idata).n_data_points == idata["observed_data"]["loss"].size
    assert "elpd" in az.compare({"a": idata, "b": idata})


def test_draws_of_ones_own_sampling_forecast_the_same(small_fit, study, idata):
    own = bc.Fit.from_idata(study, "cpt_replay", idata, random_seed=small_fit.seed)
    xr.testing.assert_allclose(own.posterior, small_fit.posterior)
    plan = bc.Plan.from_run(study.run(study.cpt_runs[0]))
    ours, theirs = (
        fit.forecast(plan, [100, 400], allow_failed=True).dataset for fit in (own, small_fit)
    )
    xr.testing.assert_allclose(ours, theirs)
    assert [check.status for check in own.checks()] == [c.status for c in small_fit.checks()]


def test_other_orders_and_names_of_other_samplers_are_read(small_fit, study):
    posterior = small_fit.posterior[list(sampled_dims(small_fit.card))]
    shuffled = posterior.isel(domain=[1, 0]).transpose("draw", "chain", ...)
    stats = small_fit.sample_stats.rename(reached_max_treedepth="maxdepth_reached")
    own = bc.Fit.from_idata(
        study, "cpt_replay", xr.DataTree.from_dict({"posterior": shuffled, "sample_stats": stats})
    )
    xr.testing.assert_allclose(own.posterior["sigma"], small_fit.posterior["sigma"])
    assert "reached_max_treedepth" in own.sample_stats


def test_draws_for_a_study_from_an_open_base_are_read(study):
    """The card is the one that `bc.build_model` samples: its base is inferred."""
    runs, bases = study.runs.astype({"steps": float}), list(study.pt_runs)
    runs.loc[runs["run"].isin(bases), "steps"] = np.nan
    lrs = {name: lr for name, lr in study.lrs.items() if name not in bases}
    curves = study.curves[~study.curves["run"].isin(bases)]
    opened = bc.Study.from_frames(curves, runs, lrs)
    card = fitted_card(opened, "cpt_replay")
    posterior = prior_draws(card, make_rows(opened, card), np.random.default_rng(1), draws=50)
    dims = ("chain", "draw")
    energy, never = np.random.default_rng(2).normal(size=(1, 50)), np.zeros((1, 50), dtype=bool)
    stats = xr.Dataset({"energy": (dims, energy), "diverging": (dims, never)})
    stats["reached_max_treedepth"] = stats["diverging"]
    stats = stats.assign_coords(chain=posterior["chain"], draw=posterior["draw"])
    tree = xr.DataTree.from_dict({"posterior": posterior, "sample_stats": stats})
    own = bc.Fit.from_idata(opened, "cpt_replay", tree)
    assert own.card.choices["base"] == "open"
    assert {"open_area", "S1pt"} <= set(own.posterior)


def drop(groups, group, name):
    return {**groups, group: groups[group].drop_vars(name)}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: drop(t, "posterior", "sigma"), "lacks sigma, which the model of card"),
        (lambda t: drop(t, "sample_stats", "energy"), "sample_stats lacks energy"),
        (lambda t: {"posterior": t["posterior"]}, "no group 'sample_stats'"),
        (lambda t: 3, "no group 'posterior'"),
        (
            lambda t: {**t, "posterior": t["posterior"].isel(domain=[0])},
            "along domain general; the study under this card has general, target",
        ),
        (
            lambda t: {**t, "posterior": t["posterior"].rename(domain="set")},
            "has dims",
        ),
        (
            lambda t: {**t, "posterior": t["posterior"] * np.nan},
            "draws that are not finite",
        ),
        (
            lambda t: {**t, "sample_stats": t["sample_stats"].isel(draw=[0])},
            "sample_stats has 1 along draw",
        ),
        (
            lambda t: {**t, "observed_data": t["observed_data"] + 1e-3},
            "another study or card",
        ),
    ],
)
def test_draws_of_another_model_are_refused(study, idata, change, message):
    names = ("posterior", "sample_stats", "observed_data")
    given = {name: idata[name].to_dataset() for name in names}
    with pytest.raises(FitError, match=message):
        bc.Fit.from_idata(study, "cpt_replay", change(given))


@pytest.mark.slow
def test_draws_of_pymc_make_a_fit(study):
    model = bc.build_model(study, "cpt_replay")
    drawn = pm.sample(
        150, tune=300, chains=2, cores=1, model=model, random_seed=3, progressbar=False,
        nuts_sampler="nutpie",
    )  # fmt: skip
    fit = bc.Fit.from_idata(study, "cpt_replay", drawn)
    plan = bc.Plan.from_run(study.run(study.cpt_runs[0]))
    assert np.isfinite(fit.forecast(plan, [100], allow_failed=True).dataset["loss"]).all()
