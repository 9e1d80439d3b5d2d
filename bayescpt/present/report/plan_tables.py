"""Tables about plans: recipes, goals, bands, costs, the front, what cannot be told apart, reach."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from bayescpt.decide.risks import measures
from bayescpt.forecast import Plan
from bayescpt.present.report.case import Case
from bayescpt.present.report.table import (
    Table,
    band,
    chance,
    extent,
    fixed,
    make_table,
    significant,
)

# Plans of a table of pairs.
MOST_PAIRED = 10
# Distances, in words: up to which one they hold.
DISTANCES = (
    (0.5, "close to a pilot", "a pilot, close to another"),
    (1.5, "some way from every pilot", "a pilot, some way from the others"),
    (math.inf, "far from every pilot", "a pilot, far from the others"),
)


def recipe_table(case: Case) -> Table:
    """Table of the recipes.

    Parameters
    ----------
    case : Case
        The case.

    Returns
    -------
    Table
    """
    rows = [
        (
            plan.name,
            plan.schedule.name,
            f"{plan.schedule.n_steps:,}",
            f"{plan.schedule.peak_lr:.3g}",
            f"{float(plan.schedule.lr[-1]):.3g}",
            extent(plan.replay_ratio),
            plan.start or "from scratch",
            target_text(plan, case.fit.study.targets),
        )
        for plan in case.plans
    ]
    heads = ("plan", "schedule", "steps", "peak LR", "last LR", "replay", "starts from", "target")
    return make_table("The recipes", heads, rows, case.decision.best)


def target_text(plan: Plan, targets: Sequence[str]) -> str:
    """Target of a plan.

    Parameters
    ----------
    plan : Plan
        The plan.
    targets : sequence of str
        Targets of the study, of which a plan need not name the only one.

    Returns
    -------
    str
        Empty from scratch.
    """
    if plan.start is None:
        return ""
    return plan.domain or (targets[0] if len(targets) == 1 else "")


def decision_table(case: Case) -> Table:
    """Table of the probabilities of the goal and of the risks.

    Parameters
    ----------
    case : Case
        The case.

    Returns
    -------
    Table
        The numbers of `bayescpt.goal_probability` and `bayescpt.compare`.
    """
    decision = case.shown
    own = [m for m in measures() if m.column in decision.table and not m.needs_goal]
    columns = ["joint", *case.limits] if case.limits else []
    heads = [
        "plan",
        *("all goals" if c == "joint" else f"{c} ≤ {case.limits[c]}" for c in columns),
        *(measure.label(decision.level) for measure in own),
        "P(lowest loss)",
        "eligible",
    ]
    rows = []
    for plan, row in decision.table.iterrows():
        goal = [chance(*case.joint(str(plan), column)) for column in columns]
        eligible = "yes" if row["eligible"] else "no"
        rows.append((
            str(plan), *goal, *(fixed(row[m.column]) for m in own), fixed(row["prob_best"]),
            "" if case.options.min_probability is None else eligible,
        ))  # fmt: skip
    caption = (
        "Probability of meeting the goal (± Monte Carlo standard error), and " if columns else ""
    )
    unit = f"; {case.weighted_unit}" if case.weighted_unit else ""
    return make_table(
        f"{caption}risks of the weighted loss ({case.weights}{unit})", heads, rows, decision.best
    )


def band_table(case: Case) -> Table:
    """Table of the last losses of each plan with their 90% bands.

    Parameters
    ----------
    case : Case
        The case.

    Returns
    -------
    Table
    """
    domains = [str(domain) for domain in case.ends.dataset["domain"].values]
    rows = [
        (
            plan.name,
            f"{plan.schedule.n_steps:,}",
            *(band(*case.last_band(plan, domain)) for domain in domains),
        )
        for plan in case.plans
    ]
    unit = f", {case.unit}" if case.unit else ""
    return make_table(
        f"Last loss of each plan: median and 90% band{unit}",
        ("plan", "last step", *domains),
        rows,
        case.decision.best,
    )


def cost_table(case: Case) -> Table:
    """Table of what the plans cost.

    Parameters
    ----------
    case : Case
        The case.

    Returns
    -------
    Table
        Without the columns for which a rate is missing.
    """
    rows = []
    for plan, row in case.costs.iterrows():
        goal = fixed(case.joint(str(plan))[0])
        money = "" if np.isnan(row["money"]) else f"{row['money']:,.2f}"
        tokens = [significant(row[name]) for name in ("tokens", "new_tokens", "replayed_tokens")]
        rows.append(
            (
                str(plan),
                f"{int(row['steps']):,}",
                *tokens,
                significant(row["gpu_hours"]),
                money,
                goal,
            )
        )
    heads = (
        "plan", "steps", "tokens", "of the target", "replayed", "GPU-hours",
        case.rates.currency, "meets the whole goal",
    )  # fmt: skip
    return make_table("What each plan costs", heads, rows, case.decision.best)


def front_table(case: Case) -> Table | None:
    """Table of the Pareto front.

    Parameters
    ----------
    case : Case
        The case.

    Returns
    -------
    Table or None
        None where there is no front.
    """
    if case.front is None or case.pair is None:
        return None
    rows = [
        (
            str(plan),
            chance(row["prob_front"], row["prob_front_mcse"]),
            "yes" if row["on_front"] else "no",
        )
        for plan, row in case.front.iterrows()
    ]
    return make_table(
        f"Probability that no other plan is better on {case.pair[0]} and {case.pair[1]} at once",
        ("plan", "on the front", "on the front by medians"),
        rows,
        case.decision.best,
    )


def pair_table(case: Case) -> Table | None:
    """Table of the probabilities that one plan's weighted loss is below another's.

    Parameters
    ----------
    case : Case
        The case.

    Returns
    -------
    Table or None
        None for a single plan, or for too many to read.
    """
    names = [plan.name for plan in case.plans]
    if not 2 <= len(names) <= MOST_PAIRED:
        return None
    rows = [
        (one, *(fixed(float(value)) for value in case.lower.loc[one].to_numpy())) for one in names
    ]
    return make_table(
        "Probability that the plan of the row has a lower weighted loss than that of the column",
        ("plan", *(f"than {name}" for name in names)),
        rows,
        case.decision.best,
    )


def reach_table(case: Case) -> Table:
    """Table of how far each plan reaches outside the pilots.

    Parameters
    ----------
    case : Case
        The case.

    Returns
    -------
    Table
    """
    rows = [
        (
            one.plan,
            fixed(one.distance, 2),
            distance_text(one.distance, one.is_fitted),
            one.nearest or "none",
            "; ".join(one.outside) or "nowhere",
            "; ".join(one.notes),
        )
        for one in case.novelty
    ]
    heads = ("plan", "distance", "in words", "nearest pilot", "leaves their range", "notes")
    return make_table(
        "How far outside the pilots each plan reaches", heads, rows, case.decision.best
    )


def distance_text(distance: float, pilot: bool = False) -> str:
    """Extrapolation distance in words.

    Parameters
    ----------
    distance : float
        From 0 to 3.
    pilot : bool
        Whether it is the distance of a pilot, which is that from the others.

    Returns
    -------
    str

    Examples
    --------
    >>> distance_text(0.2), distance_text(2.0), distance_text(2.0, pilot=True)
    ('close to a pilot', 'far from every pilot', 'a pilot, far from the others')
    """
    return next(texts[pilot] for most, *texts in DISTANCES if distance <= most)
