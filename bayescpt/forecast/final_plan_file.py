"""Plans for laws of final losses in plan files: no schedule, but size, tokens, mixture and LR."""

from __future__ import annotations

from typing import Any

from bayescpt.data.units import did_you_mean
from bayescpt.errors import PlanError
from bayescpt.forecast.plan import Plan

NUMBERS = ("n_params", "tokens", "replay_ratio", "lr_factor", "peak_lr")
TEXTS = ("start", "domain")
KEYS = ("name", *NUMBERS, *TEXTS, "shares")


def final_plan(name: str, table: dict[str, Any], where: str) -> Plan:
    """Plan of a ``[[plan]]`` table, for a study of final losses.

    Parameters
    ----------
    name : str
        Its name.
    table : dict
        The table: any of ``n_params``, ``tokens``, ``replay_ratio``, ``lr_factor``, ``peak_lr``,
        ``start``, ``domain``, and ``shares``, a table of numbers by source.
    where : str
        File and plan, for messages.

    Returns
    -------
    Plan

    Raises
    ------
    PlanError
        If a key is unknown, or a value is not of its kind.

    Examples
    --------
    >>> final_plan(
    ...     "half", {"name": "half", "tokens": 1e10, "replay_ratio": 0.5}, "plans.toml"
    ... ).tokens
    10000000000.0
    """
    for key, value in table.items():
        if key not in KEYS:
            hint = did_you_mean(key, list(KEYS))
            raise PlanError(
                f"{where}: unknown key {key!r}; {hint}the study has final losses only, so that a "
                f"plan has {', '.join(KEYS)}"
            )
        if key in NUMBERS and not _is_number(value):
            raise PlanError(f"{where}: key {key!r} must be a number; got {value!r}")
        if key in TEXTS and not (isinstance(value, str) and value):
            raise PlanError(f"{where}: key {key!r} must be a string; got {value!r}")
    shares = table.get("shares")
    if shares is not None and not (
        isinstance(shares, dict) and all(map(_is_number, shares.values()))
    ):
        raise PlanError(f"{where}: key 'shares' must be a table of numbers; got {shares!r}")
    given: dict[str, Any] = {key: float(table[key]) for key in NUMBERS if key in table}
    given |= {key: table[key] for key in TEXTS if key in table}
    try:
        return Plan(name=name, shares=shares, **given)
    except PlanError as error:
        # The message already names the plan and the key.
        raise PlanError(f"{where.partition(': plan ')[0]}: {error}") from error


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
