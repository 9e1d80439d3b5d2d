"""What plans cost: tokens, GPU-hours and money."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bayescpt.data import Study
from bayescpt.errors import PlanError
from bayescpt.forecast import Plan

HOUR = 3600.0


@dataclass(frozen=True)
class Rates:
    """What turns the steps of a plan into tokens, GPU-hours and money.

    Parameters
    ----------
    tokens_per_step : float, optional
        Tokens of one update; by default that of the study's runs, where they share one.
    throughput : float, optional
        Tokens per second of one GPU.
    price : float, optional
        Price of one GPU for an hour; it needs `throughput`.
    currency : str
        Currency of the price, as it is to be shown.

    Raises
    ------
    PlanError
        If a number is not above 0, or there is a price and no throughput.

    Examples
    --------
    >>> from bayescpt.decide.costs import Rates
    >>> Rates(throughput=12_000, price=2.5).currency
    'USD'
    """

    tokens_per_step: float | None = None
    throughput: float | None = None
    price: float | None = None
    currency: str = "USD"

    def __post_init__(self) -> None:
        """Check the numbers."""
        for name in ("tokens_per_step", "throughput", "price"):
            value = getattr(self, name)
            if value is not None and not (_is_number(value) and 0 < value < math.inf):
                raise PlanError(f"{name} is {value!r}; it must be a number above 0")
        if self.price is not None and self.throughput is None:
            raise PlanError(
                f"price is {self.price:g} a GPU-hour, but without a throughput (tokens per second "
                "of one GPU) nobody knows how many GPU-hours a plan takes; give both"
            )

    @classmethod
    def of(cls, given: Rates | Mapping[str, Any] | None) -> Rates:
        """Rates from Rates, a mapping or nothing.

        Parameters
        ----------
        given : Rates, mapping of str to Any, or None
            Values by the names above.

        Returns
        -------
        Rates

        Raises
        ------
        PlanError
            If a name is unknown or a value out of range.
        """
        if given is None or isinstance(given, Rates):
            return given or cls()
        known = ("tokens_per_step", "throughput", "price", "currency")
        for name in given:
            if name not in known:
                raise PlanError(f"rates has {name!r}; it may have {', '.join(known)}")
        return cls(**given)


def plan_costs(
    plans: Sequence[Plan], study: Study, rates: Rates | Mapping[str, Any] | None = None
) -> pd.DataFrame:
    """What each plan costs.

    Parameters
    ----------
    plans : sequence of Plan
        Recipes.
    study : Study
        Study with the runs whose tokens per step the plans share, where `rates` gives none.
    rates : Rates or mapping of str to Any, optional
        Tokens per step, throughput and price.

    Returns
    -------
    pandas.DataFrame
        Indexed by plan: `steps`, `tokens`, `new_tokens` (of the target) and `replayed_tokens` (of
        the general data), `gpu_hours` and `money`. NaN where a rate is not known: the batch size of
        the study, the throughput or the price.

    Raises
    ------
    PlanError
        If a rate is out of range.

    Examples
    --------
    >>> import bayescpt as bc
    >>> from bayescpt.decide.costs import plan_costs
    >>> study = bc.load_example("cpt_micro")  # 2,048 tokens a step
    >>> plan = bc.Plan("flat", bc.schedules.constant(1e-3, 500), replay_ratio=0.25, start="pt_r0")
    >>> costs = plan_costs([plan], study, {"throughput": 1024, "price": 3.6}).loc["flat"]
    >>> costs[["tokens", "new_tokens", "gpu_hours", "money"]].round(3).tolist()
    [1024000.0, 768000.0, 0.278, 1.0]
    """
    rates = Rates.of(rates)
    rows = {}
    for plan in plans:
        steps = plan.schedule.n_steps
        tokens = steps * (rates.tokens_per_step or _batch(plan, study))
        replay = np.nan if plan.replay_ratio is None else float(np.mean(plan.replay_ratio))
        hours = np.nan if rates.throughput is None else tokens / rates.throughput / HOUR
        rows[plan.name] = {
            "steps": steps,
            "tokens": tokens,
            "new_tokens": tokens * (1.0 - replay),
            "replayed_tokens": tokens * replay,
            "gpu_hours": hours,
            "money": np.nan if rates.price is None else hours * rates.price,
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("plan")


def _batch(plan: Plan, study: Study) -> float:
    """Tokens per step of the plan's own run, or that which all runs share; NaN if unknown."""
    runs = study.runs
    own = runs.loc[runs["run"] == plan.run, "tokens_per_step"].dropna()
    phase = "pt" if plan.start is None else "cpt"
    shared = runs.loc[runs["phase"] == phase, "tokens_per_step"].dropna()
    for found in (own, shared):
        if found.nunique() == 1:
            return float(found.iloc[0])
    return np.nan


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)
