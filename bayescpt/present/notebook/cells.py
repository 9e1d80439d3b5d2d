"""Cells of a notebook about a study: question, data, fit, checks, answer, what would change it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bayescpt.data import Study
from bayescpt.data.units import unit_name
from bayescpt.decide import Goal
from bayescpt.present.notebook.markup import markdown, python
from bayescpt.present.notebook.suggest import Suggestion
from bayescpt.present.report.text import listing
from bayescpt.text import printable

# Kind of a cell and its text.
Cell = tuple[str, str]
MARKDOWN, CODE = "markdown", "code"


@dataclass(frozen=True)
class Subject:
    """What a notebook is about.

    Attributes
    ----------
    study : Study
        The study.
    opened : str
        Python expression that opens it from the folder of the notebook.
    card : str
        Name of a shipped card, or path from the folder of the notebook.
    goal : mapping of str to float or str
        Highest loss by domain, as `bayescpt.Goal` takes it.
    plan_files : sequence of str
        Files of plans, by their paths from the folder of the notebook; without any, the notebook
        makes recipes.
    suggestion : Suggestion
        What the study suggests.
    file : str
        Name of the notebook.
    """

    study: Study
    opened: str
    card: str
    goal: Mapping[str, float | str]
    plan_files: Sequence[str]
    suggestion: Suggestion
    file: str

    @property
    def unit(self) -> str:
        """Name of the unit of the study's losses."""
        return unit_name(self.study.loss_unit)


def cells(subject: Subject) -> list[Cell]:
    """All cells of a notebook.

    Parameters
    ----------
    subject : Subject
        What it is about.

    Returns
    -------
    list of (str, str)
        Kind (``markdown`` or ``code``) and text.
    """
    return [
        *_question(subject),
        *_data(subject),
        *_goal(subject),
        *_fit(subject),
        *_checks(subject),
        *_recipes(subject),
        *_answer(subject),
        *_change(subject),
    ]


def _question(subject: Subject) -> list[Cell]:
    domains = listing([markdown(domain) for domain in subject.goal])
    lines = [
        f"# {markdown(subject.study.name)}: which recipe meets the goal?",
        "",
        "The pilot runs of a study are fitted with a Bayesian law of loss curves. **Which recipe, "
        "among some that nobody has run, is likely to end at or below the wanted loss on "
        f"{domains}, and how sure can one be?**",
        "",
        "This notebook was written by `bayescpt notebook` as a start: the goal and the recipes are "
        "suggestions made from the pilots, to be replaced by your own where a comment says so. "
        "Every number is printed by the cell that computes it. From its folder it runs with",
        "",
        "```",
        f"jupyter execute --inplace {shlex.quote(printable(subject.file))}",
        "```",
        "",
        "and with fewer draws where the environment variable `BAYESCPT_NOTEBOOK` is `small`.",
    ]
    code = f"""%matplotlib inline
import os

import numpy as np
import pandas as pd

import bayescpt as bc

SMALL = os.environ.get("BAYESCPT_NOTEBOOK") == "small"
DRAWS = 200 if SMALL else 1000
SAMPLER = {{"draws": DRAWS, "tune": DRAWS, "chains": 4, "progress": False}}
# Fewer draws may be too few for the checks: the small version then goes on, and says so.
ALLOW_FAILED = SMALL
SEED = 1
CARD = {python(subject.card)}
print("settings:", "small" if SMALL else "full", SAMPLER)"""
    return [(MARKDOWN, "\n".join(lines)), (CODE, code)]


def _data(subject: Subject) -> list[Cell]:
    notes = f" What its owner says of it: {markdown(subject.study.notes)}"
    text = (
        "## The data\n\nEach line of the table is a pilot, with the last loss that it reached, in "
        f"{subject.unit}.{notes if subject.study.notes.strip() else ''}"
    )
    columns = {"peak LR": "run.schedule.peak_lr", "end LR": "run.schedule.final_lr"}
    columns |= {"steps": "run.schedule.n_steps"}
    if subject.suggestion.start is not None:
        columns = {"start": "run.parent", "replay": "np.mean(run.replay_ratio)", **columns}
    described = "\n".join(f'        "{name}": {value},' for name, value in columns.items())
    code = f"""study = {subject.opened}
PILOTS = {python(subject.suggestion.pilots)}
ends = {{}}
for name in PILOTS:
    run = study.run(name)
    ends[name] = {{
{described}
    }}
    for domain in study.domains:
        losses = study.curve(name, domain)["loss"]
        if len(losses):
            ends[name][domain] = float(study.units.show(losses.iloc[-1], domain))
ends = pd.DataFrame(ends).T.infer_objects()
print(study)
print("\\n".join(found.text for found in study.findings()) or "nothing looks like a mistake")
ends.round(5)"""
    return [(MARKDOWN, text), (CODE, code), (CODE, "bc.plot.study(study);")]


def _goal(subject: Subject) -> list[Cell]:
    text = (
        "## The goal\n\nThe highest loss allowed on each set. A number is a loss in the unit of "
        'the study; `"+2%"` or `"+0.05"` is a rise over the start checkpoint, and `"ppl:8.1"` or '
        '`"bpb:0.61"` names another unit. The next cell says which pilots meet it already.'
    )
    code = f"""GOAL = {python(dict(subject.goal))}  # yours here
goal = bc.Goal(GOAL)"""
    limits = Goal(subject.goal).limits.values()
    if not any(limit.unit or limit.relative for limit in limits):
        code += """
met = pd.concat([ends[domain] <= limit for domain, limit in GOAL.items()], axis=1).all(axis=1)
print("pilots that meet it:", ", ".join(ends.index[met]) or "none")
ends[[*GOAL]].agg(["min", "median", "max"]).round(4)"""
    return [(MARKDOWN, text), (CODE, code)]


def _fit(subject: Subject) -> list[Cell]:
    text = (
        "## The fit\n\nThe card holds the law, its priors with their reasons, and the noise "
        "model; `bayescpt cards` lists the others."
    )
    code = """card = bc.load_card(CARD)
print(card.name, "-", card.description)
fit = bc.fit(study, card=card, seed=SEED, **SAMPLER)
print(fit)
fit.summary()[["unit", "median", "lower", "upper", "r_hat", "ess_bulk"]].round(3)"""
    return [(MARKDOWN, text), (CODE, code)]


def _checks(subject: Subject) -> list[Cell]:
    text = (
        "## Can it be believed\n\nA check that failed stops a forecast; one with the status `warn` "
        "should be read. Where it is the contraction, it names parameters on which the pilots say "
        "little: forecasts like the pilots do not depend on these, forecasts far from them do. The "
        "figure shows what the data added to the priors."
    )
    code = """if fit.failed:
    print("THIS FIT FAILED ITS CHECKS: do not trust the numbers below")
print(*fit.notes, sep="\\n")
pd.DataFrame([check.to_dict() for check in fit.checks()]).set_index("name")"""
    made = [(MARKDOWN, text), (CODE, code), (CODE, "bc.plot.prior_posterior(fit);")]
    name = subject.suggestion.held_out
    if name is None:
        few = (
            "With so few pilots, none can be held out as a test of the others: whether the bands "
            "are true stays open until the recipe that is chosen has been run."
        )
        return [*made, (MARKDOWN, few)]
    text = (
        "One pilot is now held out: the fit is made again without its losses and forecasts them. "
        "`coverage_90` is the share of them in the 90% band, `mae` the mean absolute error of the "
        "median. The errors of one run go together, so this is one test, not as many as it has "
        "losses; without `runs=`, `bc.backtest` holds out every run in turn."
    )
    code = f"""HELD_OUT = {python(name)}
judged = bc.backtest(study, card=card, runs=[HELD_OUT], seed=SEED, **SAMPLER)
bc.plot.held_out(judged)
judged.scores(by="domain", after=0.1)[["domain", "rows", "coverage_90", "mae"]].round(4)"""
    return [*made, (MARKDOWN, text), (CODE, code)]


def _recipes(subject: Subject) -> list[Cell]:
    head = "## Recipes that nobody has run\n\n"
    if subject.plan_files:
        text = head + "They are read from files of plans."
        files = python(list(subject.plan_files))
        code = f"""from bayescpt.forecast.plan_file import read_plans

plans = [plan for path in {files} for plan in read_plans(path, study, card)]"""
    else:
        text = head + (
            "Two schedules, each with peaks and replay ratios from the range of the pilots, and "
            "longer than these: a decision is about a run that costs more than its pilots. A "
            "forecast says where it leaves the range of what was fitted."
            if subject.suggestion.ratios
            else "Two schedules, each with the peaks of the pilots, and longer than these. A "
            "forecast says where it leaves the range of what was fitted."
        )
        code = _grid(subject.suggestion)
    code += """
ends_at = sorted({plan.schedule.n_steps for plan in plans})
ahead = fit.forecast(plans, steps=ends_at, seed=SEED, allow_failed=ALLOW_FAILED)
chances = bc.goal_probability(ahead, goal)
print(len(plans), "recipes")
print("\\n".join(ahead.warnings[:5]) or "no recipe leaves the range of what was fitted")
if len(ahead.warnings) > 5:
    print("and so on:", len(ahead.warnings), "warnings, in ahead.warnings")
chances.sort_values("joint", ascending=False)[["joint", "joint_mcse", *GOAL]].head(10).round(3)"""
    return [(MARKDOWN, text), (CODE, code), (CODE, _TOP)]


_TOP = """top = chances.sort_values("joint", ascending=False).head(8).index
bc.plot.goal_probability(chances.loc[top]);"""


def _grid(found: Suggestion) -> str:
    """Code that makes recipes from lists that can be changed."""
    names, loops, values = ["{shape} {peak:g}"], ["for peak in PEAKS"], []
    ratios = ""
    if found.ratios:
        ratios = f"\nREPLAY = {python(found.ratios)}"
        names, loops = [*names, "replay {ratio:g}"], [*loops, "for ratio in REPLAY"]
        values.append("replay_ratio=ratio,")
    if found.start is not None:
        values += [f"start={python(found.start)},", f"domain={python(found.domain)},"]
    more = "".join(f"\n        {value}" for value in values)
    over = "".join(f"\n    {loop}" for loop in loops)
    return f"""STEPS = {found.n_steps}  # yours here
PEAKS = {python(found.peaks)}{ratios}
WARMUP, DECAY = STEPS // 50, STEPS // 5


def schedule(shape: str, peak: float) -> bc.Schedule:
    \"\"\"Learning rates of a recipe.\"\"\"
    if shape == "wsd":
        return bc.schedules.wsd(
            peak, STEPS, num_warmup_steps=WARMUP, num_decay_steps=DECAY
        )
    return bc.schedules.cosine(peak, STEPS, num_warmup_steps=WARMUP, min_lr_ratio=0.1)


plans = [
    bc.Plan(
        f"{", ".join(names)}",
        schedule(shape, peak),{more}
    )
    for shape in ("wsd", "cosine"){over}
]"""


def _answer(subject: Subject) -> list[Cell]:
    text = (
        "## The answer\n\nThe recipe with the highest probability of meeting the whole goal, with "
        "the 90% band of its last loss, which is what the log of a new run will show. The Monte "
        "Carlo error beside the probability is that of the draws alone."
    )
    code = """if fit.failed:
    print("THIS FIT FAILED ITS CHECKS: do not trust the numbers below")
decision = bc.compare(ahead, goal=goal, risk="probability")
chosen = decision.best
recipe = next(plan for plan in plans if plan.name == chosen)
chance = chances.loc[chosen]
levels = {
    domain: float(study.units.show(by_plan[chosen], domain))
    for domain, by_plan in chances.attrs["levels"].items()
}
print(f"chosen: {chosen}, P(goal) = {chance['joint']:.2f} ± {chance['joint_mcse']:.2f}")
band = ahead.interval(0.9).sel(plan=chosen, step=recipe.schedule.n_steps)
for domain, level in levels.items():
    lower, upper = (
        float(study.units.show(band[side].sel(domain=domain), domain))
        for side in ("lower", "upper")
    )
    print(
        f"{domain}: at most {level:.4g} wanted, 90% band of the last loss [{lower:.4g}, "
        f"{upper:.4g}], P = {chance[domain]:.2f}"
    )
print(*(text for text in decision.warnings if text not in ahead.warnings), sep="\\n")"""
    made = [
        (MARKDOWN, text),
        (CODE, code),
        (
            CODE,
            """curve = fit.forecast([recipe], seed=SEED, allow_failed=ALLOW_FAILED)
bc.plot.fan(curve, goal=goal, first_step=recipe.schedule.n_steps // 20);""",
        ),
    ]
    if len(subject.goal) > 1:
        code = """best = fit.forecast(
    [plan for plan in plans if plan.name in top[:4]], steps=ends_at, seed=SEED,
    allow_failed=ALLOW_FAILED,
)
bc.plot.ends(best, goal=goal, best=chosen);"""
        made.append((CODE, code))
    return made


def _change(subject: Subject) -> list[Cell]:
    other = (
        "## What would change the answer\n\n**Another goal.** Each row moves the limit of one set "
        "by a share of its value, counted for the recipe chosen above: which recipe is then the "
        "likeliest, and how likely."
    )
    moved = """rows = []
for domain in levels:
    for share in (-0.02, -0.01, 0.0, 0.01, 0.02):
        asked = levels | {domain: levels[domain] * (1 + share)}
        joint = bc.goal_probability(ahead, asked)["joint"]
        rows.append(
            {
                "set": domain,
                "limit": asked[domain],
                "likeliest": joint.idxmax() if joint.max() > 0 else "none",
                "P(goal)": joint.max(),
            }
        )
pd.DataFrame(rows).set_index(["set", "limit"]).round(3)"""
    pilot = (
        "**Another pilot.** Where the priors decide more than the data, one more run would tell "
        "more than any number of draws. The fit names it, as an entry of a file of plans."
    )
    advice = """advice = [f"{one.sentence}\\n{one.plan}\\n" for one in fit.advice[:3]]
print(*advice or ["the pilots leave nothing to the priors"], sep="\\n")"""
    rest = (
        "**What this fit cannot know.** It has seen runs of one model on the data of this "
        "study: another model, or other data, needs runs of its own. The goal is about validation "
        "loss; no task was evaluated. And the law may be wrong by more than the pilots can show "
        "where a recipe is unlike them, so read the warnings above before the probability. The "
        "chosen recipe's own "
        "losses tell most: add them to the study while the run is in flight, and run this notebook "
        'again.\n\nFor those who decide, `bc.report(fit, plans, goal, "report.html")` writes '
        "these answers as one page."
    )
    return [
        (MARKDOWN, other),
        (CODE, moved),
        (MARKDOWN, pilot),
        (CODE, advice),
        (MARKDOWN, rest),
    ]
