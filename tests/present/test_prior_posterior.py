"""Posterior against prior: the table has the quantiles, the figure the table."""

import numpy as np
import pytest

from bayescpt.errors import FitError, PlanError
from bayescpt.evaluate import simulate_study
from bayescpt.inference import Fit
from bayescpt.inference.before_after import prior_posterior_table
from bayescpt.inference.idata import prior_draws
from bayescpt.model.card_file import load_card
from bayescpt.model.rows import make_rows
from bayescpt.present import page, plot
from bayescpt.present.prior_posterior import WIDE

DRAWS = 4000


@pytest.fixture(scope="module")
def fit():
    """A fit whose posterior is its prior: other draws of the same."""
    study = simulate_study(
        replays=(0.0, 0.25), cpt_schedules=("wsd",), eval_every=450, pt_eval_every=2000
    ).study
    card = load_card("cpt_replay")
    rows = make_rows(study, card)
    return Fit(card, study, rows, prior_draws(card, rows, np.random.default_rng(2), 400), None, 1)


@pytest.fixture(scope="module")
def table(fit):
    return prior_posterior_table(fit, draws=DRAWS)


def test_prior_quantiles_are_those_of_the_card(fit, table):
    seen = 0
    for name, prior in fit.card.priors.items():
        for _, row in table[table["quantity"] == name].iterrows():
            frozen = prior.frozen()
            for p, column in ((0.05, "prior_lower"), (0.5, "prior_median"), (0.95, "prior_upper")):
                # The share of draws below the true quantile is p, within Monte Carlo error.
                error = np.sqrt(p * (1 - p) / DRAWS)
                assert frozen.cdf(row[column]) == pytest.approx(p, abs=5 * error)
            seen += 1
    assert seen > 15


def test_posterior_quantiles_and_ratios(fit, table):
    draws = fit.posterior["beta"].isel(pair=0).to_numpy().ravel()
    label = str(fit.posterior["pair"].to_numpy()[0])
    row = table.loc[f"beta[{label}]"]
    expected = np.quantile(draws, [0.05, 0.5, 0.95])
    np.testing.assert_allclose([row["lower"], row["median"], row["upper"]], expected)
    assert row["label"] == label
    ratios = table["ratio"].dropna()
    # The posterior is the prior.
    assert ratios.between(0.6, 1.6).all()
    assert {"L0", "B", "E"} <= set(table["quantity"])
    assert table.loc[table["quantity"] == "B", "ratio"].isna().all()
    assert next(iter(table["quantity"])) == "L0"
    assert not set(table["quantity"]) & {"start_level", "start_offset"}


def test_entries_that_the_law_does_not_use_are_left_out(fit, table):
    unused = [
        f"{p.name}[{label}]"
        for p in fit.card.parameters()
        if p.dims == ("pair",)
        for label in fit.posterior["pair"].to_numpy()
        if not fit.card.uses(p.name, str(label))
    ]
    assert unused
    assert not set(unused) & set(table.index)


def test_bars_are_the_intervals(table):
    fig = page(plot.prior_posterior, table)
    quantities = list(dict.fromkeys(table["quantity"]))
    assert [ax.get_title(loc="left") for ax in fig.axes] == quantities
    for ax, quantity in zip(fig.axes, quantities, strict=True):
        rows = table[table["quantity"] == quantity]
        for y, (_, row) in enumerate(rows.iterrows()):
            before, middle, after, dot = ax.lines[4 * y : 4 * y + 4]
            assert list(before.get_xdata()) == [row["prior_lower"], row["prior_upper"]]
            assert middle.get_xdata()[0] == row["prior_median"]
            assert list(after.get_xdata()) == [row["lower"], row["upper"]]
            assert dot.get_xdata()[0] == row["median"]
            assert set(dot.get_ydata()) == set(before.get_ydata()) == {y}
            # Told apart by width, in grey too.
            assert before.get_linewidth() > 2 * after.get_linewidth()
        wide = (rows["prior_upper"] > WIDE * rows["prior_lower"]).any()
        positive = (rows["prior_lower"] > 0).all()
        assert (ax.get_xscale() == "log") == (wide and positive)
        low, high = ax.get_ylim()
        assert low > high
    assert [t.get_text() for t in fig.legends[0].get_texts()] == ["prior", "posterior"]


def test_quantities_are_chosen_by_name(fit, table):
    fig = page(plot.prior_posterior, table, ["beta", "sigma"], columns=1)
    assert [ax.get_title(loc="left") for ax in fig.axes] == ["beta", "sigma"]
    with pytest.raises(PlanError, match="unknown quantity 'x'"):
        page(plot.prior_posterior, table, ["x"])
    with pytest.raises(FitError, match="prob is 90"):
        prior_posterior_table(fit, prob=90)
