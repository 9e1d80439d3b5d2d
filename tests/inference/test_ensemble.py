"""An ensemble of fits forecasts, decides, saves and reports like a fit."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

import bayescpt as bc
from bayescpt.errors import ConvergenceError, FitError, PlanError
from bayescpt.evaluate.generate import draw_parameters
from bayescpt.forecast.mixture import Allocation
from bayescpt.inference import Check, Ensemble, Fit
from bayescpt.inference.digest import draws_digest
from bayescpt.model.rows import make_rows
from bayescpt.present.explorer.view import Session

WSD = bc.schedules.wsd(2e-3, 200, 10, 40)
PLANS = [bc.Plan(f"plan {n}", WSD, 0.1 + 0.1 * n, start="pt") for n in range(3)]
WEIGHTS = {"one": 0.7, "other": 0.3}
CHAINS, DRAWS = 2, 500


def made(study, name, seed, misfit="ok"):
    """A fit that was never sampled: draws near one draw of the priors."""
    card = bc.load_card(name)
    rows = make_rows(study, card)
    rng = np.random.default_rng(seed)
    middle = draw_parameters(card, rows, rng)
    spread = middle.isel(chain=[0] * CHAINS, draw=[0] * DRAWS)
    spread = spread.assign_coords(chain=range(CHAINS), draw=range(DRAWS))
    posterior = spread.map(lambda v: v * np.exp(0.03 * rng.standard_normal(v.shape)))
    for variable in posterior.data_vars.values():
        variable.attrs = {"units": "1"}
    size = (CHAINS, DRAWS)
    flat = {"diverging": np.zeros(size, bool), "energy": rng.standard_normal(size),
            "reached_max_treedepth": np.zeros(size, bool)}  # fmt: skip
    stats = xr.Dataset({key: (("chain", "draw"), value) for key, value in flat.items()})
    fit = Fit(card, study, rows, posterior, stats, seed)
    value = {"ok": 0.1, "fail": 0.9}[misfit]
    vars(fit)["misfit"] = Check("misfit", misfit, value, 0.3, "" if misfit == "ok" else "wrong")
    return fit


@pytest.fixture(scope="module")
def fits(simulated_study):
    return {
        "one": made(simulated_study, "cpt_replay", 11),
        "other": made(simulated_study, "cpt_fade", 12),
    }


@pytest.fixture(scope="module")
def ensemble(fits):
    return Ensemble.of(fits, WEIGHTS, seed=5, told=("said before",))


def flat(forecast, domain="general", kind="loss"):
    values = forecast.dataset[kind].sel(domain=domain).isel(step=-1)
    return values.transpose("plan", "chain", "draw").to_numpy().reshape(len(forecast.plans), -1)


def test_each_fit_gives_its_share_of_the_draws():
    one = Allocation.of([0.61, 0.3, 0.09], chains=4, draws=25, seed=1)
    assert [len(places) for places in one.places] == [61, 30, 9]
    assert sorted(np.concatenate(one.places)) == list(range(100))
    for places, sources in zip(one.places, one.sources, strict=True):
        # In the chain of the same number, in order, without repetition.
        np.testing.assert_array_equal(places // 25, sources[:, 0])
        assert len({tuple(source) for source in sources}) == len(sources)
        assert (np.diff(sources[:, 0] * 25 + sources[:, 1]) > 0).all()
        assert np.ptp(np.bincount(sources[:, 0], minlength=4)) <= 1
    assert len(Allocation.of([1.0, 0.0], 2, 10, 1).places[1]) == 0


def test_the_forecast_is_the_mixture_of_those_of_the_fits(ensemble, fits):
    mixed = flat(ensemble.forecast(PLANS, [200]))
    own = {label: flat(fit.forecast(PLANS, [200])) for label, fit in fits.items()}
    for at in np.quantile(np.concatenate([*own.values()], axis=1), [0.1, 0.3, 0.5, 0.7, 0.9]):
        wanted = sum(w * (own[label] < at).mean(axis=1) for label, w in WEIGHTS.items())
        # Two Monte Carlo errors of a probability, of the mixture and of a fit.
        np.testing.assert_allclose((mixed < at).mean(axis=1), wanted, atol=4 * 0.5 / 1000**0.5)


def test_one_draw_uses_one_card_for_all_plans_and_domains(ensemble):
    forecast = ensemble.forecast(PLANS, [100, 200])
    mu = forecast.mu.transpose("chain", "draw", ...).to_numpy().reshape(CHAINS * DRAWS, -1)
    places = ensemble._allocation.places
    low = mu[places[0]].min(axis=0), mu[places[0]].max(axis=0)
    inside = ((mu >= low[0]) & (mu <= low[1])).all(axis=1)
    assert inside.sum() == len(places[0]) == 700
    # The draws of a card are those of its posterior: its own forecast has the same curves.
    own = ensemble.fits["one"].forecast(PLANS, [100, 200]).mu
    chain, draw = ensemble._allocation.sources[0].T
    wanted = own.transpose("chain", "draw", ...).to_numpy()[chain, draw].reshape(700, -1)
    np.testing.assert_allclose(mu[places[0]], wanted, rtol=1e-12)


def test_the_seed_decides(ensemble, fits):
    one, again = (ensemble.forecast(PLANS, [200], seed=3) for _ in range(2))
    xr.testing.assert_identical(one.dataset, again.dataset)
    other = ensemble.forecast(PLANS, [200], seed=4)
    assert not np.array_equal(one.loss, other.loss)
    np.testing.assert_array_equal(one.mu, other.mu)
    moved = Ensemble.of(fits, WEIGHTS, seed=6).forecast(PLANS, [200], seed=3)
    assert not np.array_equal(one.mu, moved.mu)


def test_a_weight_of_one_is_the_fit_itself(fits):
    alone = Ensemble.of(fits, {"one": 1.0, "other": 0.0})
    np.testing.assert_array_equal(
        np.sort(flat(alone.forecast(PLANS, [200]), kind="mu")),
        np.sort(flat(fits["one"].forecast(PLANS, [200]), kind="mu")),
    )


def test_goals_screens_and_searches_agree(ensemble):
    goal = {"general": 5.2, "target": 5.0}
    forecast = ensemble.forecast(PLANS, [200], seed=3)
    chances = bc.goal_probability(forecast, goal)
    screened = bc.screen(ensemble, PLANS, goal=goal, seed=3)
    np.testing.assert_allclose(screened["joint"], chances["joint"])
    # The Monte Carlo error knows that the draws are of two cards.
    p = chances["target"].to_numpy()
    np.testing.assert_allclose(
        chances["target_mcse"], np.sqrt(p * (1 - p) / (CHAINS * DRAWS)), rtol=0.5
    )
    assert bc.compare(forecast, goal=goal).best in {plan.name for plan in PLANS}
    space = {"schedule": "wsd", "num_training_steps": 200, "warmup_share": 0.05, "lr": 2e-3,
             "decay_share": [0.1, 0.3], "replay_ratio": [0.1, 0.5]}  # fmt: skip
    found = bc.optimise(ensemble, space, goal=goal)
    assert len(found.tried) == 4


def test_blocks_are_one_forecast(ensemble):
    blocks = list(ensemble.forecast_blocks(PLANS, size=120, seed=2))
    joined = xr.concat([part.mu for part in blocks], "step")
    whole = ensemble.forecast(PLANS, "all", seed=2).mu
    np.testing.assert_allclose(joined, whole)


def test_disagreement_of_the_cards_is_said(ensemble, fits):
    warned = [text for text in ensemble.forecast(PLANS, [200]).warnings if "disagree" in text]
    assert len(warned) == 2
    assert "3 of 3 plans" in warned[0]
    same = Ensemble.of({"a": fits["one"], "b": fits["one"]}, {"a": 0.5, "b": 0.5})
    assert not [text for text in same.forecast(PLANS, [200]).warnings if "disagree" in text]


def test_it_is_the_same_after_saving(ensemble, tmp_path):
    path = ensemble.save(tmp_path / "both.nc")
    loaded = bc.load_fit(path)
    assert isinstance(loaded, Ensemble)
    assert (loaded.weights, loaded.told, loaded.seed) == (
        ensemble.weights, ensemble.told, ensemble.seed,
    )  # fmt: skip
    assert loaded.study.digest == ensemble.study.digest
    for label, fit in ensemble.fits.items():
        assert draws_digest(loaded.fits[label]) == draws_digest(fit)
        assert loaded.fits[label].card == fit.card
        assert loaded.fits[label].rows.refs.points == fit.rows.refs.points
    assert loaded.checks() == ensemble.checks()
    np.testing.assert_array_equal(
        loaded.forecast(PLANS, [200]).loss, ensemble.forecast(PLANS, [200]).loss
    )


def test_a_damaged_file_is_refused(ensemble, tmp_path):
    path = ensemble.save(tmp_path / "both.nc")
    content = bytearray(path.read_bytes())
    for place in (len(content) // 3, len(content) // 2, len(content) - 50):
        broken = content.copy()
        broken[place] ^= 1
        path.write_bytes(bytes(broken))
        with pytest.raises(FitError, match="damaged or changed"):
            bc.load_fit(path)


def test_checks_are_named_after_their_fits(ensemble, fits, simulated_study):
    names = [check.name for check in ensemble.checks()]
    assert names[0] == "one: R-hat"
    assert names[-1] == "other: misfit"
    assert not ensemble.failed
    assert ensemble.leading is fits["one"]
    assert ensemble.summary().index.names == ["card", "parameter"]
    assert ensemble.notes[:2] == [
        "ensemble of cards by weight: one 0.70, other 0.30",
        "said before",
    ]
    wrong = {**fits, "other": made(simulated_study, "cpt_fade", 12, "fail")}
    few, most = (Ensemble.of(wrong, {"one": 1 - w, "other": w}) for w in (0.3, 0.6))
    assert few.misfits[1].status == "warn"
    assert "30% of the weight" in few.misfits[1].advice
    assert not few.failed
    with pytest.raises(ConvergenceError, match="other: misfit"):
        most.forecast(PLANS)
    assert most.forecast(PLANS, [200], allow_failed=True).failed_checks == ["other: misfit"]


def test_what_does_not_go_together_is_refused(ensemble, fits, simulated_study):
    fewer = simulated_study.select(simulated_study.cpt_runs[:2])
    for given, weights, told in (
        ({}, {}, "no card"),
        (fits, {"one": 1.0}, "one weight a fit"),
        (fits, {"one": -1.0, "other": 2.0}, "at least 0"),
        (fits, {"one": 0.0, "other": 0.0}, "not all of them 0"),
        ({**fits, "other": replace(fits["other"], study=fewer)}, WEIGHTS, "different studies"),
    ):
        with pytest.raises(FitError, match=told):
            Ensemble.of(given, weights)
    for what in ("idata", "model"):
        with pytest.raises(FitError, match=f"fits\\['one'\\].{what}"):
            getattr(ensemble, what)
    with pytest.raises(FitError, match="no draws"):
        ensemble.draws()
    with pytest.raises(PlanError, match="explore the fit of one card"):
        Session(ensemble)


def test_a_report_says_which_cards_and_weights(ensemble, tmp_path):
    path = bc.report(ensemble, PLANS, goal={"general": 5.2}, path=tmp_path / "report.html")
    text = path.read_text()
    assert "cards one (0.70), other (0.30) were each fitted" in text
    assert "weight of other" in text
    assert "said before" in text
    assert "Shown of card cpt_replay, which has the largest weight" in text
    assert "<table" in ensemble._repr_html_()
    assert repr(ensemble).startswith("Ensemble(one 0.70, other 0.30; study")
