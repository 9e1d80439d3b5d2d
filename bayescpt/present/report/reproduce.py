"""How to make a report again: versions, digests, plans and commands."""

from __future__ import annotations

import platform
import shlex
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version

import numpy as np

from bayescpt.data import schedules
from bayescpt.data.schedules.recognise import recognise
from bayescpt.decide.limits import limit_text
from bayescpt.forecast.plan import Starts
from bayescpt.forecast.plan_text import COARSE, plan_text
from bayescpt.inference import Ensemble
from bayescpt.inference.digest import card_digest, draws_digest
from bayescpt.present.report.case import Case
from bayescpt.present.report.table import Table, make_table

PACKAGES = (
    "bayescpt", "pymc", "nutpie", "numba", "arviz", "xarray", "numpy", "scipy", "pandas",
    "matplotlib",
)  # fmt: skip
# Learning rates that no constructor gives are left out of longer plans: they would fill the page.
LONGEST_PLAN = 20_000
# Learning rates that differ by less than this share of the peak are the same.
SAME = 1e-9


def versions() -> str:
    """Versions that made the report.

    Returns
    -------
    str
        Names and versions, Python last.
    """
    found = []
    for name in PACKAGES:
        with suppress(PackageNotFoundError):
            found.append(f"{name} {version(name)}")
    return f"{', '.join(found)} and Python {platform.python_version()}"


def digest_table(case: Case) -> Table:
    """Table of what identifies the data, the model and the draws.

    Parameters
    ----------
    case : Case
        The case.

    Returns
    -------
    Table
    """
    fit = case.fit
    fits = fit.fits if isinstance(fit, Ensemble) else {"the fit": fit}
    weights = fit.weights.items() if isinstance(fit, Ensemble) else ()
    rows = [
        (f"study {fit.study.name}", fit.study.digest),
        *((f"card {one.card.name}", card_digest(one.card)) for one in fits.values()),
        *((f"draws of {label}", draws_digest(one)) for label, one in fits.items()),
        *((f"weight of {label}", f"{weight:.6f}") for label, weight in weights),
        ("seed of the sampler", str(fit.seed)),
        ("seed of the simulated noise", str(case.options.seed)),
    ]
    return make_table("Digests (SHA-256) and seeds", ("of", "value"), rows)


def plans_text(case: Case) -> str:
    """The plans as a file of plans.

    Parameters
    ----------
    case : Case
        The case.

    Returns
    -------
    str
        TOML; a plan whose learning rates would fill the page is a comment that says so.
    """
    fit = case.fit
    starts = Starts(fit.study, fit.rows.refs.warmup, fit.card)
    parts = []
    for plan in case.plans:
        text = plan_text(starts.trajectory(plan))
        if len(text) > LONGEST_PLAN:
            n_steps = plan.schedule.n_steps
            text = f"# {plan.name!r}: its {n_steps:,} learning rates and ratios would fill the page"
            if plan.run is not None:
                text += f"; it is the recipe of run {plan.run!r} (--run)"
        parts.append(text)
    return "\n\n".join(parts)


def plans_note(case: Case) -> str:
    """How exactly `plans_text` gives the plans.

    Parameters
    ----------
    case : Case
        The case.

    Returns
    -------
    str
        One sentence; empty where the learning rates are the same to nine digits.
    """
    worst = 0.0
    for plan in case.plans:
        lr = plan.schedule.lr
        found = recognise(lr) or recognise(lr, COARSE)
        if found is not None and lr.max() > 0:
            again = schedules.from_name(found[0], **found[1]).lr
            worst = max(worst, float(np.abs(again - lr).max() / lr.max()))
    if worst < SAME:
        return ""
    return (
        "Schedules that were given step by step stand here as the constructor nearest to them: "
        f"their learning rates differ by up to {worst:.1g} of the peak."
    )


def python_text(case: Case) -> str:
    """The report as a call in Python.

    Parameters
    ----------
    case : Case
        The case.

    Returns
    -------
    str
    """
    options, decision = case.options, case.decision
    given: dict[str, object] = {}
    if decision.goal is not None:
        given["goal"] = dict(decision.goal.thresholds)
    given |= {
        name: value
        for name, value, usual in (
            ("risk", options.risk, None),
            ("level", options.level, 0.9),
            ("weights", None if options.weights is None else dict(options.weights), None),
            ("min_probability", options.min_probability, None),
            ("random_seed", options.seed, 0),
            ("allow_failed", options.allow_failed, False),
            ("extrapolate", options.extrapolate, False),
        )
        if value != usual
    }
    rates = {name: value for name, value in vars(case.rates).items() if value is not None}
    if len(rates) > 1:
        given["rates"] = rates
    call = "".join(f"    {name}={value!r},\n" for name, value in given.items())
    return (
        "import bayescpt as bc\n"
        "from bayescpt.forecast.plan_file import read_plans\n\n"
        'fit = bc.load_fit("fit.nc")\n'
        'plans = read_plans("plans.toml", fit.study, fit.card)\n'
        f'bc.report(\n    fit,\n    plans,\n    path="report.html",\n{call})'
    )


def goal_arguments(case: Case) -> str:
    """The goal as arguments of the command line.

    Parameters
    ----------
    case : Case
        The case.

    Returns
    -------
    str
    """
    if case.decision.goal is None:
        return ""
    limits = case.decision.goal.thresholds
    words = [f"--goal={domain}={limit_text(limit)}" for domain, limit in limits.items()]
    return shlex.join(words)
