import numpy as np
import pytest

from bayescpt.data import published_fits
from bayescpt.data.areas import annealing_area, forward_area
from bayescpt.errors import PlanError
from bayescpt.evaluate.simulate import simulate_study


def paper_curve(study, run, row, replay=1.0):
    """Eq. 4 of arXiv 2505.07796, as printed, at every step of a CPT run; lambda .999."""
    before, lr = study.lrs["pt"], study.lrs[run]
    s1 = forward_area(lr)
    s2_pt = annealing_area(before, 0.999)[-1]
    s2 = annealing_area(lr, 0.999, before[-1])
    shift = row["B_signed"] * (1 - (1 + row["E"] * s1) ** -row["beta"])
    return (
        row["L0"]
        + row["A"] * (before.sum() + s1) ** -row["alpha"]
        - row["C1_pt"] * s2_pt
        - row["C2_cpt"] * s2
        + replay * shift
    )


def test_curves_are_eq_4_with_the_published_coefficients(simulation):
    study, fits = simulation.study, published_fits()
    for domain, row in (("general", "f3_pt"), ("target", "f3_cpt")):
        for run in ("r0_wsd", "r0_cosine", "r0_constant"):
            expected = simulation.expected
            rows = expected[(expected["run"] == run) & (expected["domain"] == domain)]
            curve = paper_curve(study, run, fits.loc[row])
            np.testing.assert_allclose(rows["mean"], curve[rows["step"]], rtol=1e-6)


def test_exponential_replay_is_eq_8():
    made = simulate_study(replay="exponential", eval_every=1000, response={
        "replay_rate": (2.0, 2.0), "anneal_replay": (0.0, 0.0)})  # fmt: skip
    rows = made.expected.query("run == 'r25_constant' and domain == 'general'")
    curve = paper_curve(
        made.study, "r25_constant", published_fits().loc["f3_pt"], 1 - np.exp(-2.0 * 0.75)
    )
    np.testing.assert_allclose(rows["mean"], curve[rows["step"]], rtol=1e-6)


def test_truth_bears_the_names_of_a_posterior(simulation):
    truth = simulation.truth
    for name in (
        *("base_ref", "alpha_s1", "anneal_ref", "shift_ref", "onset", "beta", "log_memory"),
        *("L0", "A", "C1", "C2", "B", "E", "lambda", "replay_gamma", "start_level", "sigma"),
    ):
        assert name in truth
    assert {p.name for p in simulation.card.parameters()} <= set(truth)
    assert truth["B"].sel(pair="target|target").item() == -0.666
    assert truth["lambda"].item() == pytest.approx(0.999)


def test_the_setting_is_the_papers(study):
    assert len(study.cpt_runs) == 12
    run = study.run("r25_cosine")
    assert (run.replay_ratio, run.parent, run.domain) == (0.25, "pt", "target")
    assert (run.n_params, run.tokens_per_step) == (106e6, 4e6)
    assert study.run("pt").steps == 20_000
    assert study.run("pt").schedule.peak_lr == 2e-4


def test_a_checkpoint_is_measured_once(study):
    for domain in study.domains:
        starts = study.curves.query("step == 0 and domain == @domain")["loss"]
        assert starts.nunique() == 1
        assert starts.iloc[0] == study.curve("pt", domain)["loss"].iloc[-1]


def residuals(made):
    merged = made.study.curves.merge(made.expected, on=["run", "step", "domain"])
    merged = merged[(merged["step"] > 0) & (merged["run"] != "pt")]
    return merged.assign(residual=merged["loss"] - merged["mean"])


def test_jitter_has_its_size():
    found = residuals(simulate_study(sigma=0.004))["residual"]
    assert found.std() == pytest.approx(0.004, rel=0.08)
    assert np.abs(found).max() < 0.004 * 5


def test_misfit_lasts_and_starts_from_nothing():
    rows = residuals(simulate_study(sigma=1e-9, discrepancy_sd=0.01, discrepancy_length=0.5))
    curves = [rows["residual"].to_numpy() for _, rows in rows.groupby(["run", "domain"])]
    lag_1 = np.mean([np.corrcoef(c[1:], c[:-1])[0, 1] for c in curves])
    assert lag_1 > 0.7
    first, last = (np.std([curve[k] for curve in curves]) for k in (0, -1))
    assert first < 0.5 * last


def test_outliers_are_as_many_as_asked():
    rows = residuals(simulate_study(sigma=1e-6, outlier_share=0.1, outlier_sd=0.05))
    assert (rows["residual"].abs() > 1e-5).mean() == pytest.approx(0.1, abs=0.03)


def test_run_effects_are_in_the_truth_and_in_the_curves():
    small = {"replays": (0.0, 0.1), "eval_every": 1000}
    made = simulate_study(run_effects={"level": 0.05}, seed=3, **small)
    plain = simulate_study(**small)
    both = made.expected.merge(plain.expected, on=["run", "step", "domain"])
    both = both[both["step"] > 0]
    effect = made.truth["effect_level"].sel(curve=(both["run"] + "|" + both["domain"]).values)
    np.testing.assert_allclose(both["mean_x"] - both["mean_y"], effect, atol=1e-9)
    assert made.truth["effect_level"].std() > 0.02


def test_shared_trunks_share_rows_and_learning_rates():
    made = simulate_study(
        shared_trunks=True, discrepancy_sd=0.01, run_effects={"shift": 0.02}, eval_every=250
    ).study
    run = made.run("r10_wsd")
    assert run.branch_of == "r10_constant"
    trunk = made.trunk_step("r10_wsd")
    assert trunk > 3900
    for domain in made.domains:
        ours, theirs = (made.curve(name, domain) for name in ("r10_wsd", "r10_constant"))
        same = (ours["loss"] == theirs["loss"]).to_numpy()
        np.testing.assert_array_equal(same, ours["step"] <= trunk)
        # The misfit goes on from the trunk's, so there is no jump at the branch.
        jump = np.diff(ours["loss"])[(ours["step"] <= trunk).sum() - 1]
        assert abs(jump) < 0.03


def test_same_seed_same_study():
    kwargs = {
        "replays": (0.1,),
        "eval_every": 1000,
        "discrepancy_sd": 0.01,
        "run_effects": {"level": 0.01},
    }
    one, same, other = (simulate_study(seed=seed, **kwargs).study for seed in (1, 1, 2))
    assert one.digest == same.digest != other.digest


def test_pre_training_only(trunks):
    assert trunks.cpt_runs == ()
    assert trunks.domains == ("general",)
    assert trunks.run("wsd").branch_of == "constant"


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"cpt_schedules": ("zigzag",)}, "no schedule 'zigzag'"),
        ({"run_effects": {"mood": 1.0}}, "no run effect on 'mood'"),
        ({"replay": "linear"}, "replay is 'linear'"),
    ],
)
def test_unknown_names(kwargs, message):
    with pytest.raises(PlanError, match=message):
        simulate_study(**kwargs)
