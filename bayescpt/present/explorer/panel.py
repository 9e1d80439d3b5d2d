"""The page of an explorer beside its controls: answer, charts, costs and notes, as HTML."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path

from bayescpt.data.units import unit_name
from bayescpt.decide.costs import Rates
from bayescpt.present.explorer.chart import loss_chart, rate_chart
from bayescpt.present.explorer.controls import FALLING
from bayescpt.present.explorer.view import View
from bayescpt.present.report.text import breakable, escape

STYLE = Path(__file__).parent / "explorer.css"


def head(title: str, about: str) -> str:
    """Style and title of the page.

    Parameters
    ----------
    title : str
        Name of the study.
    about : str
        Card and draws.

    Returns
    -------
    str
        HTML.
    """
    style = STYLE.read_text(encoding="utf-8")
    return (
        f'<style>{style}</style><div class="bx"><h1>{escape(title)}</h1>'
        f'<p class="muted">{escape(about)}</p></div>'
    )


def panel(view: View, unit: str, rates: Rates) -> str:
    """All that is shown for a state.

    Parameters
    ----------
    view : View
        What it is.
    unit : str
        Unit of the losses, as in `Study.loss_unit`.
    rates : Rates
        What tokens cost.

    Returns
    -------
    str
        HTML; all text of people is escaped.
    """
    charts = "".join(
        f"<figure><figcaption>{breakable(curve.domain)}</figcaption>"
        f"{loss_chart(curve, unit, view.outside)}</figure>"
        for curve in view.curves
    )
    rate = (
        f"<figure><figcaption>learning rate</figcaption>{rate_chart(view.plan.schedule)}</figure>"
    )
    parts = [
        f'<p class="alarm" role="alert">{escape(view.alarm)}</p>' if view.alarm else "",
        f'<p class="recipe">{_recipe(view)}</p>',
        f'<div role="status" aria-live="polite">{_answer(view)}</div>',
        f'<div class="charts">{charts}{rate}</div>',
        f'<p class="muted key">{_key(view)}</p>',
        _table(view, unit),
        _costs(view, rates),
        f"<h2>How far to trust it</h2><ul>{_items(view.notes)}</ul>",
        "<details><summary>This recipe for a file of plans</summary>"
        f"<pre>{escape(view.entry)}</pre></details>",
    ]
    return f'<div class="bx">{"".join(parts)}</div>'


def failure(error: Exception) -> str:
    """A recipe that cannot be forecast, in a sentence.

    Parameters
    ----------
    error : Exception
        Why not.

    Returns
    -------
    str
        HTML.
    """
    return f'<div class="bx"><p class="alarm" role="alert">{escape(str(error))}</p></div>'


def _answer(view: View) -> str:
    wrong = _items(f"{domain}: {text}" for domain, text in view.problems.items())
    faults = f'<ul class="alarm">{wrong}</ul>' if wrong else ""
    if view.chances is None:
        asks = "" if faults else "<p>Type a goal to see how likely this recipe meets it.</p>"
        return faults + asks
    row = view.chances.iloc[0]
    each = "".join(
        f"<div><dt>{breakable(domain)} at most {escape(text)}</dt>"
        f"<dd>{_chance(float(row[domain]))}</dd></div>"
        for domain, text in view.limits.items()
    )
    several = "the whole goal" if len(view.limits) > 1 else "the goal"
    joint, error = float(row["joint"]), float(row["joint_mcse"])
    return (
        f'{faults}<p class="lead">This recipe meets {several} with probability '
        f'<strong>{_chance(joint)}</strong> <span class="muted">(Monte Carlo error '
        f"{error:.1g})</span></p>"
        + (f'<dl class="facts">{each}</dl>' if len(view.limits) > 1 else "")
    )


def _recipe(view: View) -> str:
    """The recipe in words, with all digits."""
    state = view.state
    shape = {
        "wsd": f"decay over the last {state.decay:.0%} of the steps to",
        "constant_with_warmup": "constant",
    }.get(state.family, f"{state.family} to")
    falls = f"{shape} {state.floor:.0%} of the peak" if state.family in FALLING else shape
    said = [f"peak LR {state.lr:g}", falls, f"{state.steps:,} steps"]
    if state.replay is not None:
        said.append(f"replay ratio {state.replay:g}")
    if state.start is not None:
        said.append(f"from {state.start}")
    return escape(", ".join(said))


def _chance(value: float) -> str:
    """A probability, never said to be certain."""
    if value < 0.005:
        return "&lt;1%"
    return "&gt;99%" if value > 0.995 else f"{value:.0%}"


def _key(view: View) -> str:
    """What the marks of the charts mean."""
    said = ["Line and bands: median, 50% and 90% of what the log of a new run will show"]
    if any(curve.pilots for curve in view.curves):
        said.append("grey: pilots from this start")
    if any(curve.level is not None for curve in view.curves):
        said.append("dashed: the goal")
    if view.outside is not None:
        said.append("shaded: outside the range of the pilots, where the law extrapolates")
    return f"{'; '.join(said)}."


def _table(view: View, unit: str) -> str:
    rows = "".join(
        f'<tr><th scope="row">{breakable(curve.domain)}</th><td>{curve.last[1]:.4g}</td>'
        f"<td>{curve.last[0]:.4g} to {curve.last[2]:.4g}</td></tr>"
        for curve in view.curves
    )
    return (
        f"<h2>Where the losses end</h2><table><caption>Last loss, {escape(unit_name(unit))}"
        '</caption><thead><tr><th scope="col">set</th><th scope="col">median</th>'
        f'<th scope="col">90% band</th></tr></thead><tbody>{rows}</tbody></table>'
    )


def _costs(view: View, rates: Rates) -> str:
    costs = view.costs
    facts = [("steps", f"{view.plan.schedule.n_steps:,}")]
    if not math.isnan(costs["tokens"]):
        facts.append(("tokens", _tokens(costs["tokens"])))
        if view.state.replay is not None:
            facts.append(("of the target", _tokens(costs["new_tokens"])))
    if not math.isnan(costs["gpu_hours"]):
        facts.append(("GPU-hours", f"{costs['gpu_hours']:,.3g}"))
    if not math.isnan(costs["money"]):
        facts.append((rates.currency, f"{costs['money']:,.2f}"))
    cells = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in facts
    )
    return f'<h2>What it costs</h2><dl class="facts">{cells}</dl>'


def _tokens(value: float) -> str:
    for size, name in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g} {name}"
    return f"{value:.0f}"


def _items(texts: Iterable[str]) -> str:
    return "".join(f"<li>{escape(text)}</li>" for text in texts)
