"""Balance points: recipes that trade the general loss against that of the target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayescpt.decide.derived.ends import Ends
from bayescpt.decide.derived.family import Family, open_family
from bayescpt.decide.derived.grid import Grid, make_grid
from bayescpt.decide.derived.potential import potential_of
from bayescpt.decide.forecaster import Forecaster
from bayescpt.decide.space import Space
from bayescpt.errors import PlanError
from bayescpt.forecast import Plan
from bayescpt.random_seed import takes_seed

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class BalancePoints:
    """Recipes with the lowest balanced loss, by weight of the general loss.

    Attributes
    ----------
    table : pandas.DataFrame
        Indexed by general_weight and setting. ``best``, the setting of the recipe with the lowest
        posterior mean; ``median``, ``lower`` and ``upper`` (90%) of the setting that is optimal in
        each draw; ``lowest`` and ``highest``, the ends of what was searched; ``at_low`` and
        ``at_high``, the probabilities that it lies at one of them, and ``interior``, that it lies
        at neither (NaN where fewer than three values were searched). Start checkpoints appear by
        their loss potential, as ``loss_potential``.
    plans : dict of float to Plan
        The recipe with the lowest posterior mean, by general weight.
    optima : dict of float to pandas.DataFrame
        Settings that are optimal in each draw, by general weight; one row per draw, the draws of
        one chain after those of another.
    regret : dict of float to float
        Expected balanced loss of that recipe over that of the recipe that is best in each draw,
        nats/token: what not knowing the law costs.
    target : str
        Target domain.
    notes : list of str
        Reasons for caution.
    """

    table: pd.DataFrame
    plans: dict[float, Plan]
    optima: dict[float, pd.DataFrame]
    regret: dict[float, float]
    target: str
    notes: list[str]

    def _repr_html_(self) -> str:
        from bayescpt.data.html import html_block

        regret = {f"regret at {w:g}, nats": f"{value:.4f}" for w, value in self.regret.items()}
        return html_block(
            f"balance of general and {self.target}", regret, {"optimal": self.table}, self.notes
        )


@takes_seed
def balance_points(
    fit: Forecaster,
    space: Space | Mapping[str, Any],
    general_weights: Sequence[float] = (0.5,),
    points: int | None = None,
    random_seed: int = 0,
    allow_failed: bool = False,
    extrapolate: bool = False,
) -> BalancePoints:
    r"""Compute the recipe that balances forgetting and learning, with its uncertainty.

    Minimises :math:`\lambda_1 \Delta L_\text{general} + \lambda_2 \Delta L_\text{target}`,
    :math:`\lambda_1 + \lambda_2 = 1` (Wang et al., arXiv 2505.07796), over whatever
    varies in the space: replay ratio, peak LR, length, loss potential (a list of ``start``). The
    changes are counted from one level for all recipes, so that start checkpoints compare by where
    their runs end, not by how far they had to fall. Every draw has an optimum of its own; together
    these are the posterior of the optimum. It is about the expected curve `mu`, without the errors
    of single runs.

    Parameters
    ----------
    fit : Forecaster
        Fit of loss curves.
    space : Space or mapping of str to Any
        Settings; a grid over those that vary is searched.
    general_weights : sequence of float
        Weights of the general loss, 0 to 1; the target has the rest.
    points : int, optional
        Points of each range; by default as many as give about 1,000 recipes, at most 41.
    random_seed : int
        Seed of levels of start checkpoints that were not fitted; also accepted as ``seed``.
    allow_failed : bool
        Go on even if a convergence check of the fit failed.
    extrapolate : bool
        Also take recipes absurdly far from the pilots.

    Returns
    -------
    BalancePoints
        Optimal settings by weight.

    Raises
    ------
    ConvergenceError
        If a check of the fit failed and `allow_failed` is not set.
    PlanError
        If nothing varies, a weight is outside 0..1, the study has no general set, no recipe has a
        valid schedule, or a domain has no forecast.

    Examples
    --------
    >>> import bayescpt as bc
    >>> space = bc.Space(
    ...     schedule="wsd", lr=(5e-4, 2e-3), num_training_steps=1000, warmup_share=0.03,
    ...     decay_share=0.2, replay_ratio=(0.0, 0.75), start="pt_r0",
    ... )  # fmt: skip
    >>> fit = bc.load_fit("fit.nc")  # doctest: +SKIP
    >>> balance = bc.balance_points(fit, space, [0.25, 0.5, 0.75])  # doctest: +SKIP
    >>> balance.table, balance.regret  # doctest: +SKIP
    """
    ends = Ends(fit, allow_failed, extrapolate, random_seed)
    return of_family(ends, open_family(ends, space), general_weights, points)


def of_family(
    ends: Ends,
    family: Family,
    general_weights: Sequence[float] = (0.5,),
    points: int | None = None,
    over: Sequence[str] | None = None,
) -> BalancePoints:
    """Balance points over some settings of a family, the others in the middle.

    Parameters
    ----------
    ends : Ends
        Opened fit.
    family : Family
        Recipes.
    general_weights : sequence of float
        Weights of the general loss, 0 to 1.
    points : int, optional
        Points of each range.
    over : sequence of str, optional
        Settings; by default all that vary.

    Returns
    -------
    BalancePoints

    Raises
    ------
    PlanError
        If nothing varies, a weight is outside 0..1, no recipe has a valid schedule, or a domain
        has no forecast.
    """
    for weight in general_weights:
        if not 0 <= weight <= 1:
            raise PlanError(f"general weight {weight!r} is outside 0..1")
    names = [axis.name for axis in family.space.varied] if over is None else list(over)
    if not names or not general_weights:
        raise PlanError("nothing to balance: give weights, and a space in which something varies")
    grid = make_grid(family, names, points)
    target = ends.target(grid.plans[0].domain)
    general, own = _losses(ends, grid.plans, target)
    tables, chosen, optima, regret = [], {}, {}, {}
    for weight in map(float, general_weights):
        total = weight * general + (1.0 - weight) * own
        index, best = np.argmin(total, axis=0), int(np.argmin(total.mean(axis=1)))
        chosen[weight] = grid.plans[best]
        regret[weight] = float(total[best].mean() - total.min(axis=0).mean())
        optima[weight] = grid.optimum(index, total)
        rows = {}
        for name in grid.names:
            key = "loss_potential" if name == "start" else name
            rows[key] = _row(ends, grid, name, index, optima[weight][name], best)
        table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("setting")
        tables.append(pd.concat({weight: table}, names=["general_weight"]))
    return BalancePoints(
        pd.concat(tables), chosen, optima, regret, target, _notes(ends, chosen, grid)
    )


def _row(
    ends: Ends, grid: Grid, name: str, index: NDArray[np.intp], found: pd.Series, best: int
) -> dict[str, Any]:
    """Posterior of the optimum of one setting."""
    values, place = grid.values[name], grid.place(name)
    if name == "start":
        values = [potential_of(ends.study, str(start)) for start in values]
        found = pd.Series([values[k] for k in place[index]])
    row: dict[str, Any] = {"best": values[place[best]]}
    keys = ("median", "lower", "upper")
    if not all(isinstance(value, int | float) and np.isfinite(value) for value in values):
        absent = (*keys, "lowest", "highest", "at_low", "at_high", "interior")
        return row | dict.fromkeys(absent, np.nan)
    row |= {"lowest": min(values), "highest": max(values)}
    row |= dict(zip(keys, np.quantile(found.astype(float), [0.5, 0.05, 0.95]), strict=True))
    if len(set(values)) < 3:
        return row | dict.fromkeys(("at_low", "at_high", "interior"), np.nan)
    at = np.asarray(values)[place[index]]
    ends_of = float(np.mean(at == min(values))), float(np.mean(at == max(values)))
    return row | {
        "at_low": ends_of[0], "at_high": ends_of[1], "interior": 1.0 - sum(ends_of),
    }  # fmt: skip


def _losses(ends: Ends, plans: list[Plan], target: str) -> tuple[Array, Array]:
    """Expected general and target losses of recipes, each of shape (n_plans, n_draws)."""
    general, own = ends.general, ends.index(target)
    out = np.empty((2, len(plans), ends.screener.n_draws))
    for first, losses in ends.stream(plans):
        out[:, first : first + len(losses)] = losses[:, [general, own]].transpose(1, 0, 2)
    if np.isnan(out).any():
        raise PlanError(f"recipes have no forecast on the general set or on {target!r}")
    return out[0], out[1]


def _notes(ends: Ends, chosen: dict[float, Plan], grid: Grid) -> list[str]:
    """Where the chosen recipes leave the range of the pilots."""
    notes = [
        f"general weight {weight:g}: {text}; the law extrapolates"
        for weight, plan in chosen.items()
        for text in ends.outside(plan)
    ]
    if grid.invalid:
        notes.append(
            f"{len(grid.invalid)} recipes of the space have no valid schedule, such as: "
            f"{grid.invalid[0]}"
        )
    return notes
