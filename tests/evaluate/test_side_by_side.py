import numpy as np
import pytest

from bayescpt.errors import PlanError
from bayescpt.evaluate import backtest, residuals_by_phase, side_by_side
from bayescpt.evaluate.baselines import last_value
from bayescpt.evaluate.predict import Prediction

RUNS = ["r0_wsd", "r10_cosine"]


def only_target(train, run, rows, *, seed):
    draws = np.random.default_rng(seed).normal(3, 1, (50, len(rows)))
    draws[:, (rows["domain"] == "general").to_numpy()] = np.nan
    return Prediction(draws)


def only_general(train, run, rows, *, seed):
    draws = only_target(train, run, rows, seed=seed).draws
    return Prediction(np.where(np.isnan(draws), 3.0, np.nan))


def test_methods_stand_beside_each_other_on_the_same_rows(study):
    whole = backtest(study, runs=RUNS, method=last_value)
    part = backtest(study, runs=RUNS, method=only_target)
    made = side_by_side({"zeta": whole, "alpha": part})
    scores = made.scores(by=["method", "domain"])
    # In the order given, on what both forecast.
    assert list(scores["method"]) == ["zeta", "alpha"]
    assert set(scores["domain"]) == {"target"}
    assert scores["rows"].nunique() == 1
    assert set(made.finals["domain"]) == {"target"}
    assert list(made.fits["method"]) == ["zeta"] * 2 + ["alpha"] * 2
    alone = whole.scores(by="domain").set_index("domain")
    assert scores["crps"][0] == alone.loc["target", "crps"]


def test_nothing_in_common_is_refused(study):
    one = backtest(study, runs=RUNS, method=only_target)
    other = backtest(study, runs=RUNS, method=only_general)
    with pytest.raises(PlanError, match="no row was forecast by all"):
        side_by_side({"a": one, "b": other})
    with pytest.raises(PlanError, match="no backtest"):
        side_by_side({})


def test_residuals_tell_what_lasts_a_run_from_what_does_not(study):
    offsets = dict(zip(study.cpt_runs, np.linspace(-0.3, 0.3, len(study.cpt_runs)), strict=True))

    def off(train, run, rows, *, seed):
        rng = np.random.default_rng(seed)
        truth = [
            study.curve(run, domain).set_index("step")["loss"][step]
            for step, domain in zip(rows["step"], rows["domain"], strict=True)
        ]
        return Prediction(np.array(truth) - offsets[run] + 0.05 * rng.standard_normal((4000, 1)))

    table = residuals_by_phase(backtest(study, method=off))
    assert set(table["domain"]) == {"general", "target"}
    for row in table.to_dict("records"):
        runs = study.cpt_runs
        assert row["within"] < 0.005
        assert row["spread"] == pytest.approx(0.05, rel=0.1)
        if row["runs"] == len(runs):
            assert row["between"] == pytest.approx(np.std(list(offsets.values()), ddof=1), rel=0.05)
            assert abs(row["bias"]) < 0.01
