"""Which plans are on the Pareto front of several losses, with the uncertainty of the forecasts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from bayescpt.decide.draws import (
    ForecastLike,
    Kind,
    at_steps,
    check_domains,
    end_steps,
    loss_draws,
    missing_domains,
    names,
    units_attrs,
)
from bayescpt.decide.montecarlo import probability_mcse
from bayescpt.errors import PlanError

Array = NDArray[np.float64]


def pareto_front(
    fc: ForecastLike | xr.Dataset,
    domains: Sequence[str] | None = None,
    prob: float = 0.9,
    kind: Kind = "loss",
) -> pd.DataFrame:
    """Return which plans no other plan beats on all domains at once, and how sure that is.

    A plan is dominated by another one whose loss is as low or lower on every domain, and lower on
    one. Dominance is judged draw by draw, on the same draws for all plans, at each plan's own last
    step.

    Parameters
    ----------
    fc : ForecastLike or xarray.Dataset
        Forecast of the plans.
    domains : sequence of str, optional
        Domains to judge; by default all that every plan forecasts.
    prob : float
        Probability of the band of each loss.
    kind : {"loss", "mu"}
        `loss` is what the log of a new run will show; `mu` is the expected curve.

    Returns
    -------
    pandas.DataFrame
        Indexed by plan. `on_front`: whether no other plan dominates it by the medians.
        `prob_front`: share of the draws in which none does, and `prob_front_mcse`, its Monte Carlo
        standard error. For each domain `<domain>_lower`, `<domain>_median` and `<domain>_upper`
        (nats/token). `attrs` holds the `domains`, `prob` and the units.

    Raises
    ------
    PlanError
        If `prob` is out of range, a domain is unknown, a plan does not forecast it, or a plan is
        not forecast at its own last step.

    Examples
    --------
    >>> import numpy as np, xarray as xr, bayescpt as bc
    >>> from bayescpt.decide.front import pareto_front
    >>> losses = np.array([[[3.0, 2.0], [2.0, 3.0], [3.5, 2.5]]] * 4).reshape(1, 4, 3, 2, 1)
    >>> dataset = xr.Dataset(
    ...     {"loss": (("chain", "draw", "plan", "domain", "step"), losses)},
    ...     coords={"plan": ["a", "b", "c"], "domain": ["general", "german"], "step": [500]},
    ... )
    >>> schedule = bc.schedules.constant(1e-3, 500)
    >>> fc = bc.Forecast(dataset, [bc.Plan(name, schedule) for name in "abc"])
    >>> pareto_front(fc)["prob_front"].to_dict()
    {'a': 1.0, 'b': 1.0, 'c': 0.0}
    """
    if not 0.0 < prob < 1.0:
        raise PlanError(f"prob is {prob!r}; it must lie strictly between 0 and 1, such as 0.9")
    values = loss_draws(fc, kind)
    plans = names(values, "plan")
    if domains is None:
        gone = {domain for gaps in missing_domains(values).values() for domain in gaps}
        domains = [domain for domain in names(values, "domain") if domain not in gone]
        if not domains:
            raise PlanError("no domain is forecast by every plan: give domains=")
    check_domains(values, domains)
    index, _ = end_steps(values, fc)
    losses = at_steps(values.sel(domain=list(domains)), index)
    low, middle, high = np.quantile(losses, [(1 - prob) / 2, 0.5, (1 + prob) / 2], axis=(2, 3))
    free, margin = undominated(losses)
    table = pd.DataFrame(index=pd.Index(plans, name="plan"))
    table["on_front"] = undominated(middle)[0]
    table["prob_front"] = free.mean(axis=(1, 2))
    table["prob_front_mcse"] = probability_mcse(free, margin)
    for d, domain in enumerate(domains):
        table[f"{domain}_lower"] = low[:, d]
        table[f"{domain}_median"] = middle[:, d]
        table[f"{domain}_upper"] = high[:, d]
    attrs: dict[Any, Any] = units_attrs(fc)
    table.attrs = attrs | {"domains": list(domains), "prob": prob}
    return table


def undominated(losses: Array) -> tuple[NDArray[np.bool_], Array]:
    """Return which plans are not dominated.

    Parameters
    ----------
    losses : ndarray, shape (n_plans, n_domains, ...)
        nats/token.

    Returns
    -------
    free : ndarray of bool, shape (n_plans, ...)
        Whether no other plan dominates it.
    margin : ndarray, shape (n_plans, ...)
        Loss by which every other plan would have to improve on some domain to dominate it; 0 or
        below where one does. 0 for a single plan.
    """
    free = np.ones((len(losses), *losses.shape[2:]), dtype=bool)
    margin = np.full(free.shape, np.inf if len(losses) > 1 else 0.0)
    for k, own in enumerate(losses):
        for j, other in enumerate(losses):
            if j == k:
                continue
            worst = (other - own).max(axis=0)
            free[k] &= ~((worst <= 0) & (other < own).any(axis=0))
            margin[k] = np.minimum(margin[k], worst)
    return free, margin
