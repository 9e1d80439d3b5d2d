"""Decisions with their losses in the unit of the user."""

from __future__ import annotations

from dataclasses import replace

from bayescpt.data.conversion import LossUnits
from bayescpt.decide.compare import Decision
from bayescpt.decide.risks import measures


def in_shown_unit(decision: Decision) -> tuple[Decision, str | None]:
    """Decision with its losses in the unit of the user.

    Parameters
    ----------
    decision : Decision
        Output of `compare`.

    Returns
    -------
    decision : Decision
        Scaled, or the same where the weighted domains have no common scale.
    unit : str or None
        Unit of its losses.
    """
    units = LossUnits.of(decision.attrs)
    factor = units.factor(list(decision.weights))
    if decision.units is None or factor is None or units.shown == units.held:
        return decision, decision.units
    judged = next(m for m in measures() if m.name == decision.risk)
    losses = [m.column for m in measures() if not m.needs_goal]
    losses += [] if judged.column == "goal_probability" else ["mcse"]
    table, contrasts = decision.table.copy(), decision.contrasts.copy()
    for name in {*losses} & {*table}:
        table[name] *= factor
    scaled = {"mean", "lower", "upper", *({"risk", "mcse"} if "mcse" in losses else ())}
    for name in scaled & {*contrasts}:
        contrasts[name] *= factor
    return replace(decision, table=table, contrasts=contrasts, units=units.shown), units.shown
