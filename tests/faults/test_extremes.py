"""Studies and forecasts of extreme sizes: bounded memory, no draw left out, and no crash."""

import json
import tracemalloc
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import bayescpt as bc
from bayescpt.cli import main
from bayescpt.data import Study, example_studies, load_example, write_study
from bayescpt.errors import StudyError
from bayescpt.forecast import Draws, Plan, forecast, forecast_blocks
from bayescpt.inference.idata import prior_draws
from bayescpt.model.card_file import load_card
from bayescpt.model.rows import make_rows
from bayescpt.model.thinning import evenly_kept, losses_of_curve, thinning_note
from tests.examples import shipped


@pytest.fixture(scope="module")
def study():
    return load_example("cpt_micro").select(["de_r25_wsd_s1", "de_r0_wsd"])


@pytest.fixture(scope="module")
def make_draws(study):
    """Function: prior draws of a card given the study, thousands of them if asked for."""

    def make(card="cpt_replay", draws=100):
        card = load_card(card)
        rows = make_rows(study, card)
        return Draws(prior_draws(card, rows, np.random.default_rng(1), draws), card, study, rows)

    return make


# learning rates of 0


def with_rates(study, change):
    """The study with other learning rates."""
    parts = [
        pd.DataFrame({"run": run, "step": np.arange(1, lr.size + 1), "lr": change(run, lr)})
        for run, lr in study.lrs.items()
    ]
    return Study.from_frames(study.curves, study.runs, pd.concat(parts), general=study.general)


@pytest.mark.parametrize("runs", ["all", "pt", "cpt", "one"])
def test_runs_at_a_learning_rate_of_0_are_named(study, runs):
    zero = {
        "all": list(study.lrs),
        "pt": study.pt_runs,
        "cpt": study.cpt_runs,
        "one": study.cpt_runs[-1:],
    }[runs]
    with pytest.raises(StudyError, match=r"learning rate is 0 at each of its .* steps") as error:
        with_rates(study, lambda run, lr: 0.0 * lr if run in zero else lr)
    assert repr(next(run for run in study.runs["run"] if run in zero)) in str(error.value)


def test_runs_in_flight_whose_learning_rate_is_0_so_far(study):
    late = with_rates(
        study, lambda run, lr: np.r_[np.zeros(60), lr[60:]] if run in study.cpt_runs else lr
    )
    early = late.curves["run"].isin(late.pt_runs) | (late.curves["step"] <= 30)
    with pytest.raises(StudyError, match=r"0 up to the last loss of 'de_r25_wsd_s1', 'de_r0_wsd'"):
        make_rows(replace(late, curves=late.curves[early]), load_card("cpt_replay"))


def test_a_plan_at_a_learning_rate_of_0_has_finite_losses(make_draws):
    idle = Plan("idle", bc.schedules.from_array(np.zeros(500)), 0.2, "pt_r0")
    for card in ("cpt_replay", "cpt", "cpt_momentum"):
        made = forecast(make_draws(card), idle, [1, 250, 500])
        assert np.isfinite(made.loss).all()


@pytest.mark.parametrize("scale", [1e-300, 1e-12, 1e250])
def test_learning_rates_of_any_scale_have_finite_rows(study, scale):
    rows = make_rows(with_rates(study, lambda _, lr: scale * lr), load_card("cpt_replay"))
    for values in (*rows.row.values(), *rows.segment.values(), *rows.basis.values()):
        assert np.isfinite(np.asarray(values, dtype=float)).all()


# very long curves


@pytest.mark.parametrize("name", example_studies())
def test_no_shipped_study_is_thinned(name):
    assert thinning_note(shipped(name)) is None


@pytest.mark.parametrize("n", [1, 5, 307, 308, 1000, 10_000])
@pytest.mark.parametrize("most", [8, 300, 307])
def test_losses_kept_are_evenly_spaced_with_the_ends(n, most):
    fraction = np.arange(1, n + 1) / n
    kept = evenly_kept(fraction, most)
    assert kept.size == min(n, most)
    assert kept[0] == 0
    assert kept[-1] == n - 1
    for part in (kept[fraction[kept] <= 0.1], kept[fraction[kept] > 0.1]):
        gaps = np.diff(part)
        assert gaps.size < 1 or 1 <= gaps.min() <= gaps.max() <= gaps.min() + 1


def test_a_log_that_starts_late_keeps_as_many():
    kept = evenly_kept(np.linspace(0.5, 1.0, 5000), 300)
    assert kept.size == 300
    assert np.diff(kept).max() - np.diff(kept).min() <= 1


def long_study(study, rows, copies=1):
    """The study with so many losses on each curve, each run so many times."""
    parts, runs, lrs = [], [study.runs[study.runs["phase"] == "pt"]], dict(study.lrs)
    parts.append(study.curves[study.curves["run"].isin(study.pt_runs)])
    rng = np.random.default_rng(1)
    for name in study.cpt_runs:
        for k in range(copies):
            new = f"{name}_{k}"
            own = study.runs[study.runs["run"] == name]
            runs.append(own.assign(run=new, steps=rows, branch_of=None, branch_step=np.nan))
            lrs[new] = np.interp(np.linspace(0, 1, rows), np.linspace(0, 1, 1000), lrs[name])
            for domain in ("general", "german"):
                own = study.curve(name, domain)
                steps = np.arange(1, rows + 1)
                loss = np.interp(steps * 1000 / rows, own["step"], own["loss"])
                loss = loss + 0.005 * rng.standard_normal(rows)
                parts.append(
                    pd.DataFrame({"run": new, "step": steps, "domain": domain, "loss": loss})
                )
    table = pd.concat(runs)
    kept = {run: lr for run, lr in lrs.items() if run in set(table["run"])}
    return Study.from_frames(pd.concat(parts), table, kept, general="general", name="long")


def test_64_runs_of_very_many_losses_have_as_many_rows_as_of_few(study):
    sizes = []
    for rows in (500, 2000):
        made = make_rows(long_study(study, rows, copies=32), load_card("cpt_replay"))
        sizes.append(made.loss.size)
        # Both domains of a run keep the same steps, so that their noise is still paired.
        second = made.row["domain"] > 0
        assert (made.row["paired"][second] == 1).all()
    assert sizes[0] == sizes[1] < 45_000


def test_check_and_fits_say_that_curves_are_thinned(study, tmp_path, capsys):
    dense = long_study(study, 3000)
    most = losses_of_curve(dense)
    write_study(dense, tmp_path / "dense")
    curves = len(dense.curves[["run", "domain"]].drop_duplicates())
    said = f"4 of {curves} curves have more than {most:,} losses (up to 3,000)"
    for words in ([], ["--json"]):
        with pytest.raises(SystemExit):
            main(["check", str(tmp_path / "dense"), *words])
        out = capsys.readouterr().out
        assert said in (json.loads(out)["thinned"] if words else " ".join(out.split()))
    assert said in str(thinning_note(dense))


# long forecasts


LONG = bc.Plan("long", bc.schedules.wsd(2e-3, 20_000, num_decay_steps=4000), 0.25, "pt_r0")


def test_a_forecast_of_a_long_plan_is_small_by_default_and_keeps_all_draws(make_draws):
    draws = make_draws(draws=2000)
    tracemalloc.start()
    made = forecast(draws, LONG)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert made.dataset.sizes["draw"] == 2000
    assert made.dataset.sizes["step"] == 201
    assert made.dataset["step"][-1] == 20_000
    assert peak < 3 * made.dataset.nbytes + 60e6


def test_memory_of_blocks_does_not_grow_with_the_steps(make_draws):
    draws, peaks = make_draws(draws=1000), []
    for steps in (range(1, 1001), range(1, 4001)):
        tracemalloc.start()
        for part in forecast_blocks(draws, LONG, steps):
            assert part.dataset.sizes["draw"] == 1000
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.3 * peaks[0]


@pytest.mark.parametrize("card", ["cpt_replay", "cpt"])
def test_noise_carries_on_from_block_to_block(make_draws, card):
    """Across the edge of a block, loss less mu is as correlated as inside one, at each domain."""
    draws = make_draws(card, draws=4000)
    parts = forecast_blocks(draws, LONG, range(10_000, 10_040), size=10)
    both = xr.concat([part.dataset for part in parts], "step", data_vars="minimal")
    noise = (both["loss"] - both["mu"]).isel(chain=0, plan=0)
    # The run's own discrepancy is nearly the same at all these steps; what is left is noise.
    steps = noise.diff("step") if draws.card.noise.ar1 else noise
    for domain in noise["domain"]:
        values = steps.sel(domain=domain).to_numpy()
        sizes = np.median(np.abs(values), axis=0)
        edge = [9, 19, 29] if draws.card.noise.ar1 else [10, 20, 30]
        inner = np.delete(np.arange(sizes.size), edge)
        # Medians of 4,000 draws: standard error 1.3 / sqrt(4000) / 0.67 = .031 each.
        np.testing.assert_allclose(sizes[edge].mean(), sizes[inner].mean(), rtol=4 * 0.031)
