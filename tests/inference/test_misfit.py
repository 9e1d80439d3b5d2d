"""A law that does not describe a study fails its checks, in words; a law that does passes."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import bayescpt as bc
from bayescpt.errors import ConvergenceError
from bayescpt.inference.card_check import card_gaps
from bayescpt.inference.checks import MISFIT
from bayescpt.inference.misfit import JITTERS, SURPRISING, describe, misfit_check
from bayescpt.inference.residuals import Residuals, residuals
from bayescpt.model.card_file import load_card, parse_card
from bayescpt.model.rows import make_rows

# Four pilots of the real study, at replay 0 to .5.
RUNS = ["de_r0_wsd", "de_r25_wsd_s1", "de_r50_wsd", "de_r25_cos"]
QUICK = {"seed": 1, "draws": 100, "tune": 250, "chains": 2, "progress": False}


@pytest.fixture(scope="module")
def pilots():
    return bc.load_example("cpt_micro").select(RUNS)


@pytest.fixture(scope="module")
def wrong(pilots):
    """The real pilots under a law without replay, whose sampler no other test compiles."""
    return bc.fit(pilots, card="cpt", **QUICK)


@pytest.fixture(scope="module")
def right(pilots):
    return bc.fit(pilots, card="cpt_replay", **QUICK)


def named(fit, name="misfit"):
    return next(check for check in fit.checks() if check.name == name)


@pytest.mark.slow
def test_a_law_without_replay_fails_on_runs_that_replay(wrong):
    """The wrong answer: all checks passed, with a noise of .228 nats."""
    check = named(wrong)
    assert check.status == "fail"
    assert check.value > 2 * MISFIT
    for part in (
        "general: what the law leaves out is taken for noise of 0.",
        "times the jitter along the curves",
        "de_r0_wsd is",
        "nats above the law on general",
        "no replay term, but the runs replay 0 to 0.5",
        "use card 'cpt_fade'",
    ):
        assert part in check.advice
    with pytest.raises(ConvergenceError, match=r"misfit.*taken for noise"):
        wrong.draws()
    assert any("no replay term" in note for note in wrong.notes)


def test_the_card_of_the_study_passes_on_the_same_runs(right):
    check = named(right)
    assert (check.status, check.advice) == ("ok", "")
    assert check.value < 0.8 * MISFIT
    assert right.notes == []


@pytest.mark.slow
def test_the_check_is_the_same_from_a_file_and_when_it_is_computed_again(wrong, tmp_path):
    back = bc.load_fit(wrong.save(tmp_path / "fit.nc"))
    assert back.checks() == wrong.checks()
    again = misfit_check(back.residuals, gaps=card_gaps(back.card, back.study, back.rows))
    assert again == named(wrong)


def test_a_rogue_run_is_named_with_its_domain_and_phase(right):
    rows = right.rows
    curve = np.asarray(rows.segment["curve"])[rows.row["segment"]]
    c = rows.labels.curve.index(("de_r50_wsd", "german"))
    late = (curve == c) & (rows.row["fraction"] > 0.8)
    rogue = replace(right, rows=replace(rows, loss=rows.loss + 0.4 * late))
    check = rogue.misfit
    assert check.status == "warn"
    assert "de_r50_wsd is 0.4" in check.advice
    assert "above the law on german in its decay" in check.advice
    assert "de_r0_wsd" not in check.advice


def test_residuals_have_a_row_per_run_domain_and_phase(right):
    found = right.residuals.patterns
    assert set(found["run"]) == set(RUNS)
    assert set(found["phase"]) == {"start", "stable", "decay"}
    assert not found.duplicated(["run", "domain", "phase"]).any()
    assert (found["expected_sd"] > 0).all()
    assert set(right.residuals.noise["domain"]) == {"general", "german"}


# the rule


def made(mean=0.0, z=0.0, sd=0.01, jitter=0.01, phase="decay"):
    patterns = pd.DataFrame(
        {"run": ["a", "b"], "domain": "general", "phase": phase, "rows": 9, "mean": [mean, 0.0],
         "expected_sd": 0.01, "z": [z, 0.0], "moved": 0.2}
    )  # fmt: skip
    noise = pd.DataFrame(
        {"domain": ["general"], "sd": sd, "jitter": jitter, "replicated_jitter": sd, "moved": 0.2}
    )
    return Residuals(patterns, noise)


@pytest.mark.parametrize(
    ("found", "status"),
    [
        (made(), "ok"),
        (made(sd=0.1, jitter=0.1), "ok"),  # large noise that is noise
        (made(sd=0.1, jitter=0.05), "ok"),  # and effects of runs
        (made(sd=0.1, jitter=0.01), "warn"),
        (made(sd=0.19, jitter=0.01), "fail"),
        (made(sd=0.02, jitter=0.0), "ok"),  # every law is off by a little
        (made(mean=0.1, z=SURPRISING + 1), "warn"),
        (made(mean=-0.2, z=-SURPRISING - 1), "warn"),  # the law may describe all other runs
        (made(mean=0.1, z=SURPRISING - 1), "ok"),
        (made(mean=0.02, z=99.0), "ok"),
    ],
)
def test_size_and_surprise_both_count(found, status):
    check = misfit_check(found)
    assert check.status == status
    assert bool(check.advice) == (status != "ok")


def test_the_share_starts_from_the_jitter_that_effects_of_runs_explain():
    at_limit = misfit_check(made(sd=0.1, jitter=0.1 / JITTERS)).value
    assert at_limit == pytest.approx(0.0, abs=1e-6)
    assert misfit_check(made(sd=0.1, jitter=1e-9)).value == pytest.approx(0.5)


def test_plain_words():
    row = {"run": "a", "domain": "code", "phase": "start", "mean": 0.123}
    assert describe(row) == "a is 0.12 nats above the law on code at its start"
    assert (
        describe({**row, "mean": -1.0}, "bits") == "a is 1 bits below the law on code at its start"
    )


# no false alarm


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_study_simulated_from_the_posterior_passes(right, seed):
    """Losses of the law itself, with its noise and new effects of runs."""
    rng = np.random.default_rng(seed)
    draws = right.draws(allow_failed=True)
    one = draws.posterior.isel(chain=[0], draw=[int(rng.integers(100))])
    sample = replace(draws, posterior=one)
    rows = right.rows
    curve = np.asarray(rows.segment["curve"])[rows.row["segment"]]
    from bayescpt.forecast.discrepancy.judge import fitted_curves
    from bayescpt.forecast.discrepancy.spread import effect_spread

    loss = rows.loss.copy()
    for c, found in enumerate(fitted_curves(sample)):
        run, domain = rows.labels.curve[c]
        spread = effect_spread(sample, draws.observed[run], domain, found.distance)[:, 0]
        effects = (spread * rng.standard_normal(spread.shape)) @ found.columns
        noise = found.noise[0] * rng.standard_normal(effects.shape)
        loss[curve == c] += -found.residual[0] + effects + noise
    again = replace(draws, rows=replace(rows, loss=loss))
    assert misfit_check(residuals(again)).status == "ok"


# what a card has no term for


def test_gaps_are_of_the_law_and_of_the_study(pilots):
    cards = {name: load_card(name) for name in ("cpt", "cpt_replay", "cpt_momentum", "annealing")}
    gaps = {name: card_gaps(card, pilots, make_rows(pilots, card)) for name, card in cards.items()}
    assert [len(found) for found in gaps.values()] == [1, 0, 0, 1]
    assert "describes pre-training only" in gaps["annealing"][0]
    assert "use card 'cpt_fade'" in gaps["annealing"][0]
    same = pilots.select(["de_r25_wsd_s1", "de_r25_cos"])
    assert card_gaps(cards["cpt"], same, make_rows(same, cards["cpt"])) == []
    mpl = bc.load_example("mpl_25m")
    assert card_gaps(cards["annealing"], mpl, make_rows(mpl, cards["annealing"])) == []


@pytest.mark.parametrize("replay", ["own_share", "exponential"])
@pytest.mark.parametrize("scale", ["reference", "paper"])
def test_every_replay_term_is_seen(pilots, replay, scale):
    card = parse_card(
        f'name = "own"\ndescription = "A card."\nparameterisation = "{scale}"\n[law]\n'
        f'shift = "power"\nreplay = "{replay}"\n[rows]\npretraining = "all"'
    )
    assert card_gaps(card, pilots, make_rows(pilots, card)) == []
