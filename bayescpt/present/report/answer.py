"""The question, the answer and its reasons, in sentences."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from bayescpt.decide.compare import HOPELESS
from bayescpt.decide.limits import limit_text
from bayescpt.present.report.case import Case
from bayescpt.present.report.table import chance, significant
from bayescpt.present.report.text import listing
from bayescpt.present.style import percent

# Other plans that the reasons go into.
RIVALS = 3


@dataclass(frozen=True)
class Answer:
    """What a report says first.

    Attributes
    ----------
    question : str
        What was asked.
    lead : str
        The answer in a sentence.
    reasons : list of str
        Why, a sentence each.
    cautions : list of str
        Why one should be careful with it.
    facts : list of (str, str)
        Figures of the chosen plan, by name.
    """

    question: str
    lead: str
    reasons: list[str] = field(default_factory=list)
    cautions: list[str] = field(default_factory=list)
    facts: list[tuple[str, str]] = field(default_factory=list)


def make_answer(case: Case) -> Answer:
    """Question, answer and reasons of a case.

    Parameters
    ----------
    case : Case
        The case.

    Returns
    -------
    Answer
    """
    return Answer(_question(case), _lead(case), _reasons(case), _cautions(case), _facts(case))


def _question(case: Case) -> str:
    n = len(case.plans)
    which = f"Which of these {n} plans" if n > 1 else f"Should the plan {case.plans[0].name}"
    if not case.limits:
        asked = "ends with the lowest loss" if n > 1 else "be run, and where will its losses end"
        return f"{which} {asked} ({case.weights})?"
    limits = [f"{_limit(case, domain)} on {domain}" for domain in case.limits]
    if n > 1:
        return f"{which} should be run, to end with a loss of at most {listing(limits)}?"
    return f"{which} be run: will it end with a loss of at most {listing(limits)}?"


def _limit(case: Case, domain: str) -> str:
    """The goal on a domain with its unit, which labels have already where it is not the usual."""
    label, goal = case.limits[domain], case.decision.goal
    plain = goal is not None and label == limit_text(goal.thresholds[domain])
    return f"{label} {case.unit}" if plain and case.unit else label


def _lead(case: Case) -> str:
    decision = case.decision
    if decision.best is None:
        needed = case.options.min_probability
        least = f" of at least {percent(needed)}" if needed is not None else ""
        return f"None of them: no plan meets the goal with the required probability{least}."
    if decision.goal_probability is None or case.chances is None:
        many = len(case.plans) > 1
        return f"Run {decision.best}." if many else f"{decision.best} is the only plan."
    odds = f"it meets the whole goal with probability {percent(decision.goal_probability)}"
    if decision.goal_probability >= 0.5:
        return f"Run {decision.best}: {odds}."
    likeliest, highest = str(case.chances["joint"].idxmax()), float(case.chances["joint"].max())
    if highest <= HOPELESS:
        return f"The goal is out of reach of these plans: {decision.best} was chosen, but {odds}."
    if decision.goal_probability == highest:
        return f"{decision.best} comes nearest, but it probably misses the goal: {odds}."
    return (
        f"{decision.best} is best by {decision.risk}, but it probably misses the goal: {odds}; "
        f"{likeliest} meets it with {percent(highest)}."
    )


def _reasons(case: Case) -> list[str]:
    decision, shown = case.decision, case.shown
    if decision.best is None:
        return (
            _harder(case, str(case.chances["joint"].idxmax())) if case.chances is not None else []
        )
    reasons = []
    if len(case.plans) > 1:
        reasons.append(f"It was chosen by: {decision.rule}.")
    reasons += _harder(case, decision.best)
    if case.chances is not None and len(case.chances) > 1:
        others = case.chances["joint"].drop(decision.best).nlargest(RIVALS)
        told = [f"{plan} {percent(value)}" for plan, value in others.items()]
        reasons.append(f"The probability that others meet the goal: {listing(told)}.")
    rest = shown.contrasts.drop(index=decision.best)
    unit = f" {case.weighted_unit}" if case.weighted_unit else ""
    for plan, row in rest.reindex(rest["mean"].abs().sort_values().index).head(RIVALS).iterrows():
        side = "below" if row["mean"] >= 0 else "above"
        reasons.append(
            f"Its weighted loss ({case.weights}) is {abs(row['mean']):.3f}{unit} {side} that of "
            f"{plan} in the mean; the difference {plan} minus {decision.best} lies between "
            f"{row['lower']:+.3f} and {row['upper']:+.3f} with probability 90%."
        )
    return reasons


def _harder(case: Case, plan: str) -> list[str]:
    """Say which domain decides whether a plan meets the goal."""
    if case.chances is None or len(case.limits) < 2:
        return []
    each = {domain: case.joint(plan, domain)[0] for domain in case.limits}
    hard, easy = min(each, key=each.__getitem__), max(each, key=each.__getitem__)
    if each[easy] - each[hard] < 0.005:
        return []
    return [
        f"For {plan} the harder part of the goal is {hard} (met with probability "
        f"{percent(each[hard])}); {easy} is met with {percent(each[easy])}."
    ]


def _cautions(case: Case) -> list[str]:
    decision = case.decision
    inherited = {
        *case.ends.warnings,
        *(f"the fit failed its check: {name}" for name in _failed(case)),
    }
    out = [_sentence(text) for text in decision.warnings if text not in inherited]
    best = next((one for one in case.novelty if one.plan == decision.best), None)
    if best is not None and best.outside:
        out.append(
            f"{best.plan} leaves the range of the pilots, so that its forecast extrapolates: "
            f"{'; '.join(best.outside)}."
        )
    near = [
        other if one == decision.best else one
        for one, other, _ in case.alike
        if decision.best in (one, other)
    ]
    if near:
        out.append(
            f"By weighted loss alone ({case.weights}), {decision.best} cannot be told apart from "
            f"{listing(near, 'or')}: it is not lower with probability 95%, nor higher."
        )
    out += [_sentence(text) for text in case.ends.in_flight]
    return out


def _failed(case: Case) -> list[str]:
    return case.ends.failed_checks


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _facts(case: Case) -> list[tuple[str, str]]:
    """Figures of the chosen plan."""
    best = next((plan for plan in case.plans if plan.name == case.decision.best), None)
    if best is None:
        return []
    facts = []
    if case.chances is not None:
        facts.append(("Meets the whole goal", chance(*case.joint(best.name))))
    for domain in case.pair or case.domains[:1]:
        low, _, high = case.last_band(best, domain)
        facts.append((f"Last {domain} loss, 90% band", f"{low:.3f} to {high:.3f}"))
    cost = case.costs.loc[best.name].to_dict()
    if not math.isnan(cost["gpu_hours"]):
        facts.append(("GPU-hours", significant(cost["gpu_hours"])))
    if not math.isnan(cost["money"]):
        facts.append(("Cost", f"{cost['money']:,.2f} {case.rates.currency}"))
    return facts
