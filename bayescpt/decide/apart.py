"""Which plans cannot be told apart: probabilities that one has a lower weighted loss."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import xarray as xr

from bayescpt.decide.draws import (
    ForecastLike,
    Kind,
    at_steps,
    check_domains,
    end_steps,
    loss_draws,
    names,
)
from bayescpt.decide.weights import normalised_weights

# Two plans are told apart where one has the lower loss with this probability.
SURE = 0.95


def probability_lower(
    fc: ForecastLike | xr.Dataset, weights: Mapping[str, float], kind: Kind = "loss"
) -> pd.DataFrame:
    """Return the probability that one plan's weighted last loss is below another's.

    Parameters
    ----------
    fc : ForecastLike or xarray.Dataset
        Forecast of the plans.
    weights : mapping of str to float
        Weight of each domain's loss, such as `Decision.weights`; scaled to sum to 1.
    kind : {"loss", "mu"}
        `loss` is what the log of a new run will show; `mu` is the expected curve.

    Returns
    -------
    pandas.DataFrame
        Row: the plan that is lower; column: the other one. Draw by draw, on the same draws for all
        plans. NaN on the diagonal. The row and column of a `Decision.best` say the same as
        `Decision.contrasts`.

    Raises
    ------
    PlanError
        If the weights cannot be scaled, a plan does not forecast their domains, or a plan is not
        forecast at its own last step.

    Examples
    --------
    >>> import numpy as np, xarray as xr, bayescpt as bc
    >>> from bayescpt.decide.apart import probability_lower
    >>> losses = np.array([[3.0, 2.0], [3.0, 3.5]]).reshape(1, 2, 2, 1, 1)
    >>> dataset = xr.Dataset(
    ...     {"loss": (("chain", "draw", "plan", "domain", "step"), losses)},
    ...     coords={"plan": ["a", "b"], "domain": ["german"], "step": [500]},
    ... )
    >>> schedule = bc.schedules.constant(1e-3, 500)
    >>> fc = bc.Forecast(dataset, [bc.Plan("a", schedule), bc.Plan("b", schedule)])
    >>> print(probability_lower(fc, {"german": 1.0}).loc["b", "a"])
    0.5
    """
    shares = normalised_weights(weights)
    values = loss_draws(fc, kind)
    check_domains(values, list(shares))
    values = values.sel(domain=list(shares))
    index, _ = end_steps(values, fc)
    losses = at_steps(values, index)
    weighted = np.einsum("d,pdcn->pcn", np.array(list(shares.values())), losses)
    draws = weighted.reshape(len(losses), -1)
    plans = pd.Index(names(values, "plan"), name="plan")
    lower = np.array([(own < draws).mean(axis=1) for own in draws])
    np.fill_diagonal(lower, np.nan)
    return pd.DataFrame(lower, index=plans, columns=plans.rename("than"))


def alike(lower: pd.DataFrame, sure: float = SURE) -> list[tuple[str, str, float]]:
    """Return the pairs of plans that cannot be told apart.

    Parameters
    ----------
    lower : pandas.DataFrame
        Output of `probability_lower`.
    sure : float
        Probability of the lower loss that tells two plans apart.

    Returns
    -------
    list of (str, str, float)
        Two plans, the one that is more likely lower first, and that probability. The least certain
        pair comes first.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from bayescpt.decide.apart import alike
    >>> alike(pd.DataFrame([[np.nan, 0.3], [0.7, np.nan]], index=["a", "b"], columns=["a", "b"]))
    [('b', 'a', 0.7)]
    """
    plans = [str(plan) for plan in lower.index]
    values = lower.to_numpy(dtype=float)
    found = []
    for i, one in enumerate(plans):
        for j in range(i + 1, len(plans)):
            other = plans[j]
            chance, back = float(values[i, j]), float(values[j, i])
            if max(chance, back) < sure:
                found.append((one, other, chance) if chance >= back else (other, one, back))
    return sorted(found, key=lambda pair: pair[2])
