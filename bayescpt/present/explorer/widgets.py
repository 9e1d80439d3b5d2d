"""Controls of an explorer as widgets of marimo, which is passed in, and what follows from them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bayescpt.errors import BayescptError
from bayescpt.present.explorer import panel
from bayescpt.present.explorer.controls import FAMILIES, FLOORS, SHARES
from bayescpt.present.explorer.state import GOAL, State
from bayescpt.present.explorer.view import Session
from bayescpt.present.notebook.markup import markdown


def controls(mo: Any, session: Session, query: Mapping[str, Any]) -> Any:
    """Widgets by name, set to what an address says.

    Parameters
    ----------
    mo : module
        marimo.
    session : Session
        What is explored.
    query : mapping of str to str or list of str
        Parameters of the address.

    Returns
    -------
    marimo.ui.dictionary
    """
    offered, state = session.controls, session.read(query)

    def _slider(values: Any, value: float, label: str, shown: bool = True) -> Any:
        return mo.ui.slider(
            steps=list(values), value=value, label=label, show_value=shown, full_width=True
        )

    # Beside a slider marimo rounds a peak to two digits: the recipe below has all of them.
    made = {
        "schedule": mo.ui.dropdown(
            {text: name for name, text in FAMILIES.items()},
            value=FAMILIES[state.family],
            label="schedule",
            full_width=True,
        ),
        "lr": _slider(offered.peaks, state.lr, "peak LR", False),
        "decay": _slider(SHARES, state.decay, "decay, share of steps (WSD)"),
        "floor": _slider(FLOORS, state.floor, "last LR, share of peak"),
        "steps": _slider(offered.lengths, state.steps, "steps"),
    }
    if state.replay is not None:
        made["replay"] = _slider(offered.ratios, state.replay, "replay ratio")
    for name, values, chosen in (
        ("start", offered.starts, state.start),
        ("domain", offered.domains, state.domain),
    ):
        if len(values) > 1:
            made[name] = mo.ui.dropdown(
                list(values),
                value=chosen,
                label={"start": "start checkpoint", "domain": "target"}[name],
                full_width=True,
            )
    for domain in offered.goals:
        made[GOAL + domain] = mo.ui.text(
            value=state.goals.get(domain, ""),
            label=f"{markdown(domain)} at most",
            placeholder="3.45, +2%, ppl:8.1",
            full_width=True,
        )
    return mo.ui.dictionary(made)


def layout(mo: Any, made: Any) -> Any:
    """Widgets side by side, as many as fit.

    Parameters
    ----------
    mo : module
        marimo.
    made : marimo.ui.dictionary
        The widgets.

    Returns
    -------
    marimo.Html
    """
    cells = "".join(f"<div>{made[name]}</div>" for name in made.value)
    return mo.Html(f'<div class="bx"><div class="controls">{cells}</div></div>')


def state_of(values: Mapping[str, Any], session: Session) -> State:
    """State of the widgets.

    Parameters
    ----------
    values : mapping of str to Any
        Values of the widgets by name.
    session : Session
        What is explored.

    Returns
    -------
    State
    """
    goals = {
        name.removeprefix(GOAL): str(text).strip()
        for name, text in values.items()
        if name.startswith(GOAL)
    }
    offered = session.controls
    return State(
        family=values["schedule"],
        lr=float(values["lr"]),
        decay=float(values["decay"]),
        floor=float(values["floor"]),
        steps=int(values["steps"]),
        replay=float(values["replay"]) if "replay" in values else None,
        start=values.get("start", next(iter(offered.starts), None)),
        domain=values.get("domain", next(iter(offered.domains), None)),
        goals={domain: text for domain, text in goals.items() if text},
    )


def write_address(params: Any, state: State) -> None:
    """Make the address one that leads to a state.

    Parameters
    ----------
    params : marimo.query_params
        Parameters of the address; changed where they differ.
    state : State
        The state.
    """
    wanted, given = state.query(), params.to_dict()
    for name in given:
        if name not in wanted:
            params.remove(name)
    for name, value in wanted.items():
        if given.get(name) != value:
            params.set(name, value)


def head(session: Session) -> str:
    """Title of the page and its style.

    Parameters
    ----------
    session : Session
        What is explored.

    Returns
    -------
    str
        HTML.
    """
    fit = session.fit
    sizes = fit.posterior.sizes
    about = f"card {fit.card.name}, {sizes['chain'] * sizes['draw']:,} draws"
    return panel.head(fit.study.name, about)


def shown(session: Session, state: State) -> str:
    """The panel of a state, or why there is none.

    Parameters
    ----------
    session : Session
        What is explored.
    state : State
        The state.

    Returns
    -------
    str
        HTML.
    """
    try:
        view = session.view(state)
    except BayescptError as error:
        return panel.failure(error)
    return panel.panel(view, session.fit.study.loss_unit, session.rates)
