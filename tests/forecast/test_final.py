"""Final losses of many plans against forecasts of each."""

import numpy as np
import pytest

from bayescpt.data import schedules
from bayescpt.errors import PlanError
from bayescpt.forecast import Draws, Plan, forecast
from bayescpt.forecast.final import FinalLosses, Placer
from bayescpt.laws.effect import Effect
from bayescpt.laws.term import Term, register, unregister

PEAK = 2e-3
WSD = schedules.wsd(PEAK, 200, 10, 40)
COSINE = schedules.cosine(PEAK, 120, 5, min_lr_ratio=0.1)
BRANCH = schedules.wsd(PEAK, 200, 4, 60)
RISING = np.r_[np.zeros(100), np.full(100, 0.5)]

NOISE = {
    "plain": "",
    "chained": 'family = "student_t"\nearly = true\nar1 = true\ndomain_correlation = true',
    "effects": 'early = true\nrun_effects = ["level", "shift", "anneal", "drift"]',
}
LAWS = [
    'replay = "own_share"',
    'replay = "own_share"\nannealing = "area"',
    'replay = "exponential"',
    'replay = "none"',
    'replay = "memory"\nannealing = "area"\nrewarm = "own"',
    'replay = "fade"\nannealing = "area"\nlevel = "washed"\nrewarm = "tied"\nsize = "power"',
]


def recipes() -> list[Plan]:
    """Plans of one schedule, of others, from a fitted start, another one and from scratch."""
    return [
        *(Plan(f"replay {r}", WSD, r, start="pt") for r in (0.0, 0.1, 0.5, 1.0)),
        Plan("short", COSINE, 0.25, start="pt"),
        Plan("scratch", schedules.wsd(PEAK, 300, 25, 100), 1.0),
        Plan("not fitted", WSD, 0.25, start="r10_wsd"),
        Plan("fitted", WSD, 0.1, start="pt", run="r10_wsd"),
        Plan("branch", BRANCH, 0.1, start="pt", branch_of="r10_constant", branch_step=100),
        Plan("no branch", COSINE, 0.1, start="pt", branch_of="r10_constant", branch_step=50),
        Plan("by step", WSD, RISING, start="pt"),
    ]


def at_ends(draws: Draws, plans: list[Plan], kind: str, seed: int) -> np.ndarray:
    """Final losses out of forecasts, shape (plans, domains, draws)."""
    made = [
        forecast(draws, plan, [plan.schedule.n_steps], seed).dataset[kind].to_numpy()
        for plan in plans
    ]
    joined = np.stack([one.reshape(draws.size, -1) for one in made])
    return joined.transpose(0, 2, 1)


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("noise", NOISE.values(), ids=NOISE)
def test_final_losses_are_those_of_forecasts(make_draws, law, noise):
    draws = make_draws(noise, law=law)
    placer, evaluate = Placer(draws), FinalLosses(draws, seed=3)
    plans = recipes()
    placed = [placer.place(plan) for plan in plans]
    for kind in ("loss", "mu"):
        expected = at_ends(draws, plans, kind, seed=3)
        assert np.isfinite(expected).all()
        np.testing.assert_allclose(evaluate(placed, kind), expected, rtol=1e-12)


@pytest.mark.parametrize("noise", ["chained", "effects"])
def test_final_losses_do_not_depend_on_the_group(make_draws, noise):
    draws = make_draws(NOISE[noise])
    placer, evaluate = Placer(draws), FinalLosses(draws)
    placed = [placer.place(plan) for plan in recipes()]
    whole = evaluate(placed).copy()
    for size in (1, 3):
        for k in range(0, len(placed), size):
            group = evaluate(placed[k : k + size])
            # Terms of order 1 may cancel.
            np.testing.assert_allclose(group, whole[k : k + size], rtol=1e-13, atol=1e-14)


def test_no_number_depends_on_what_was_evaluated_before(draws):
    placer, evaluate = Placer(draws), FinalLosses(draws)
    placed = [placer.place(plan) for plan in recipes()]
    first = evaluate(placed).copy()
    for _ in range(3):
        np.testing.assert_array_equal(evaluate(placed), first)


def test_areas_of_a_schedule_are_computed_once(draws, monkeypatch):
    import bayescpt.forecast.final as module

    asked = []
    view = module.View
    monkeypatch.setattr(module, "View", lambda *a: asked.append(a) or view(*a))
    placer = Placer(draws)
    same = schedules.wsd(PEAK, 200, 10, 40)
    for n, schedule in enumerate((WSD, WSD, same, COSINE, WSD)):
        placer.place(Plan(str(n), schedule, n / 10, start="pt"))
    assert len(asked) == 2
    placer.place(Plan("elsewhere", WSD, 0.1, start="r10_wsd"))
    assert len(asked) == 3


class ByRatio(Term):
    """A term whose features read the replay ratios of a trajectory, as a user may add one."""

    slot, name = "ratio", "read"
    phases = ("cpt",)

    def features(self, view, is_target):
        return {"ratio": view.trajectory.replay[view.steps - 1] ** 2 + view.replay}

    def coefficients(self, p, f, xp=np):
        return {"size": 0.5 + 0.0 * f["replay"]}

    def rows(self, c, f, xp=np):
        return c["size"] * f["ratio"]


class ByEffect(Term):
    """A term whose effect on a run does."""

    slot, name = "ratio", "effect"
    effects = (Effect("ratio", lambda term, view: view.replay),)

    def coefficients(self, p, f, xp=np):
        return {"offset": 0.0}


@pytest.mark.parametrize("term", [ByRatio, ByEffect])
def test_terms_may_read_the_replay_ratios(make_draws, term):
    """Plans of one schedule then have no features in common."""
    register(term)
    try:
        noise = 'run_effects = ["ratio"]' if term is ByEffect else ""
        draws = make_draws(noise, law=f'replay = "own_share"\nratio = "{term.name}"')
        assert draws.card.law.reads_replay
        placer, evaluate = Placer(draws), FinalLosses(draws, seed=3)
        plans = [plan for plan in recipes() if plan.start]
        found = evaluate([placer.place(plan) for plan in plans])
        np.testing.assert_allclose(found, at_ends(draws, plans, "loss", seed=3), rtol=1e-12)
    finally:
        unregister(term)


@pytest.mark.parametrize("law", LAWS)
def test_no_term_here_reads_them(make_draws, law):
    assert not make_draws(law=law, draws=1).card.law.reads_replay


def test_a_plan_that_leaves_what_was_fitted_is_marked(draws):
    placer = Placer(draws)
    assert placer.place(Plan("inside", WSD, 0.25, start="pt")).outside == ()
    high = placer.place(Plan("high", schedules.constant(2 * PEAK, 200), 0.7, start="pt")).outside
    assert high == (
        "peak LR 0.004 is above the fitted 0.002",
        "replay ratio 0.7 is above the fitted 0.5",
    )


def test_an_unknown_start_is_an_error(draws):
    with pytest.raises(PlanError, match="plan 'a': unknown start checkpoint 'base'"):
        Placer(draws).place(Plan("a", WSD, 0.25, start="base"))
