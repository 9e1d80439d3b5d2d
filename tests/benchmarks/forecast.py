"""Throughput and memory of forecasts, in plans x draws a second.

The floor is NumPy doing, on one thread, for every plan, draw, domain and step that is forecast, the
exp and log that the law needs there (2 exp and 1 log, as in benchmark gradient) and one normal
number for the noise, into arrays as large as one plan's curve; and once a plan, draw and domain
one normal number for each effect of the run. Areas of the schedules, which a forecast also
computes, are not in it. "Evaluation" is the losses of plans that stand at their starts, on one
thread, with all that is kept from plan to plan made anew. Screening also places the plans and
makes probabilities, a risk and quantiles of their losses, on all cores.
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator

import numpy as np

import bayescpt as bc
from bayescpt.forecast import Draws, forecast
from bayescpt.forecast.final import FinalLosses, Placer
from tests.benchmarks.fitted import STEPS, draws_of, plans, reference_fit
from tests.benchmarks.timing import Call, Options, Result, in_turn, ratio

N_DOMAINS = 2
# As `screen` takes them of so many draws.
PLANS_AT_A_TIME = 16
MIB = 2**20


def losses(fit: bc.Fit, recipes: list[bc.Plan]) -> Call:
    """Losses of placed plans at their last steps, as `screen` has them, on one thread."""
    draws = fit.draws(allow_failed=True)
    placer = Placer(draws)
    placed = [placer.place(plan) for plan in recipes]

    def call() -> None:
        evaluate = FinalLosses(fit.draws(allow_failed=True))
        for k in range(0, len(placed), PLANS_AT_A_TIME):
            evaluate(placed[k : k + PLANS_AT_A_TIME])

    return call


def many_plans(fit: bc.Fit, recipes: list[bc.Plan]) -> Call:
    """Screening of plans by their final losses against a goal, all draws of the fit."""
    goal = {domain: 3.0 for domain in fit.rows.labels.domain}
    return lambda: bc.screen(fit, recipes, goal=goal, allow_failed=True)


def floor(n_plans: int, n_draws: int, n_steps: int, n_effects: int) -> Call:
    """Bare NumPy of the same count, plan by plan."""
    rng = np.random.default_rng(1)
    shape = (n_draws, n_steps)
    values, out = 1.0 + rng.random(shape), np.empty(shape)
    effects = np.empty((n_effects, n_draws))

    def call() -> None:
        for _ in range(n_plans * N_DOMAINS):
            for _ in range(2):
                np.exp(values, out=out)
            np.log(values, out=out)
            rng.standard_normal(out=out)
            rng.standard_normal(out=effects)

    return call


def peak_memory(call: Call) -> float:
    """Most bytes held at once by what Python and NumPy allocate during a call."""
    tracemalloc.start()
    try:
        call()
        return float(tracemalloc.get_traced_memory()[1])
    finally:
        tracemalloc.stop()


def throughput(
    case: str, amount: int, call: Call, bare: Call, options: Options, target: str = ""
) -> list[Result]:
    """Speed against the floor, and memory."""
    times = in_turn({"ours": call, "floor": bare}, options.repeats, at_least=0.0)
    rates = {name: [amount / t for t in found] for name, found in times.items()}
    slower = ratio(times["ours"], times["floor"])
    unit, against = "plan draws/s", "exp, log and normals in NumPy"
    return [
        Result(case, rates["ours"], unit, against, rates["floor"], slower, target),
        Result(f"{case}: peak memory", [peak_memory(call) / MIB], "MiB"),
    ]


def run(options: Options) -> Iterator[Result]:
    """Final losses of many plans, whole curves of some."""
    fit = reference_fit(options.quick)
    small, n_effects = options.quick, len(fit.card.run_effects)
    for name, n_plans, n_draws, steps in (
        ("final step", 10 if small else 200, 100 if small else 4000, [STEPS]),
        ("whole curves", 2 if small else 8, 100 if small else 1000, range(0, STEPS + 1, 5)),
    ):
        draws, recipes, n_steps = draws_of(fit, n_draws), plans(n_plans), len(steps)

        def call(
            draws: Draws = draws, recipes: list[bc.Plan] = recipes, steps: object = steps
        ) -> object:
            return forecast(draws, recipes, steps)

        case = f"{name}: {n_plans} plans x {n_draws} draws x {n_steps} steps"
        bare = floor(n_plans, n_draws, n_steps, n_effects)
        yield from throughput(case, n_plans * n_draws, call, bare, options)
    n_plans = 20 if small else 1000
    n_draws = fit.posterior.sizes["chain"] * fit.posterior.sizes["draw"]
    bare, amount = floor(n_plans, n_draws, 1, n_effects), n_plans * n_draws
    shared, own = plans(n_plans, ratios=20), plans(n_plans)
    for name, many, target in (
        ("evaluation, 20 ratios a schedule", losses(fit, shared), "<= 3"),
        ("evaluation, all schedules different", losses(fit, own), "<= 3"),
        ("screen, 20 ratios a schedule", many_plans(fit, shared), ""),
        ("screen, all schedules different", many_plans(fit, own), ""),
    ):
        case = f"{name}: {n_plans} plans x {n_draws} draws"
        yield from throughput(case, amount, many, bare, options, target)
