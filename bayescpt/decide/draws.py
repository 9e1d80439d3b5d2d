"""Draws of the loss out of a forecast, and the steps at which plans are judged."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bayescpt.errors import PlanError

Kind = Literal["loss", "mu"]
By = Literal["end", "best"]

DIMS = ("plan", "domain", "step", "chain", "draw")


@runtime_checkable
class ForecastLike(Protocol):
    """Anything with a forecast's dataset.

    `failed_checks` and `warnings` (lists of str) are passed on and `plans` (list of Plan) say
    where each plan ends, where the object has them.

    Attributes
    ----------
    dataset : xarray.Dataset
        Variables `mu` and `loss` (nats/token), dims (chain, draw, plan, domain, step), NaN at
        steps past a plan's own end and at domains a plan does not forecast.
    """

    @property
    def dataset(self) -> xr.Dataset:
        """Draws of the forecast."""
        ...  # pragma: no cover


def loss_draws(fc: ForecastLike | xr.Dataset, kind: Kind = "loss") -> xr.DataArray:
    """Return the draws of one variable with the dims in the order decisions use.

    Parameters
    ----------
    fc : ForecastLike or xarray.Dataset
        Forecast, or its dataset.
    kind : {"loss", "mu"}
        `loss` is what the log of a new run will show; `mu` is the expected curve.

    Returns
    -------
    xarray.DataArray
        nats/token, dims (plan, domain, step, chain, draw).

    Raises
    ------
    PlanError
        If `kind` is unknown, or the dataset lacks the variable or one of its dims.
    """
    dataset = fc if isinstance(fc, xr.Dataset) else fc.dataset
    if kind not in ("loss", "mu"):
        raise PlanError(f"kind is {kind!r}; it must be 'loss' or 'mu'")
    if kind not in dataset:
        raise PlanError(f"the forecast has no variable {kind!r}; it has {list(dataset)}")
    values = dataset[kind]
    missing = [dim for dim in DIMS if dim not in values.dims]
    if missing:
        raise PlanError(f"the forecast's {kind!r} lacks the dims {missing}; it has {values.dims}")
    return values.transpose(*DIMS)


def inherited_warnings(fc: ForecastLike | xr.Dataset) -> list[str]:
    """Return the warnings of a forecast, which hold for everything computed from it.

    Parameters
    ----------
    fc : ForecastLike or xarray.Dataset
        Forecast; its `failed_checks` and `warnings` (lists of str) are read where it has them.

    Returns
    -------
    list of str
        Failed checks of the fit first, then the forecast's own warnings.
    """
    failed = [f"the fit failed its check: {name}" for name in getattr(fc, "failed_checks", [])]
    return [*failed, *getattr(fc, "warnings", [])]


def start_losses(
    fc: ForecastLike | xr.Dataset, domain: str, values: xr.DataArray
) -> NDArray[np.float64] | None:
    """Return the losses of the start checkpoints of plans.

    Parameters
    ----------
    fc : ForecastLike or xarray.Dataset
        Forecast; its variable ``start_loss`` is read.
    domain : str
        Domain.
    values : xarray.DataArray
        Draws of the loss, whose plans, chains and draws the result has.

    Returns
    -------
    ndarray, shape (n_plans, n_chains, n_draws), or None
        nats/token; NaN for a plan from scratch. None where the forecast does not hold them.
    """
    dataset = fc if isinstance(fc, xr.Dataset) else fc.dataset
    if "start_loss" not in dataset:
        return None
    found = dataset["start_loss"].sel(plan=values["plan"], domain=domain)
    return np.asarray(found.transpose("plan", "chain", "draw").values, dtype=np.float64)


def units_attrs(fc: ForecastLike | xr.Dataset) -> dict[str, Any]:
    """Return the attributes of a forecast that say in which units its losses are, and shown.

    Parameters
    ----------
    fc : ForecastLike or xarray.Dataset
        Forecast.

    Returns
    -------
    dict of str to Any
        ``units`` (None where it is not known), ``shown_units`` and ``bytes_per_token``, for
        `bayescpt.data.conversion.LossUnits.of`.
    """
    dataset = fc if isinstance(fc, xr.Dataset) else fc.dataset
    keys = ("units", "shown_units", "bytes_per_token")
    own = {key: dataset.attrs[key] for key in keys if key in dataset.attrs}
    by_variable = (v.attrs["units"] for v in dataset.data_vars.values() if "units" in v.attrs)
    return {"units": next(by_variable, None), **own}


def observed_losses(fc: ForecastLike | xr.Dataset) -> dict[str, list[float]]:
    """Return the lowest and highest loss of the fitted runs by domain.

    Parameters
    ----------
    fc : ForecastLike or xarray.Dataset
        Forecast; its dataset's attribute ``observed`` is read.

    Returns
    -------
    dict of str to list of float
        nats/token; empty where the forecast does not hold them.
    """
    dataset = fc if isinstance(fc, xr.Dataset) else fc.dataset
    found: dict[str, list[float]] = json.loads(dataset.attrs.get("observed", "{}"))
    return found


def names(values: xr.DataArray, dim: str) -> list[str]:
    """Return the labels along a dim as plain strings.

    Parameters
    ----------
    values : xarray.DataArray
        Draws.
    dim : str
        `plan` or `domain`.

    Returns
    -------
    list of str
        Labels in their own order.
    """
    return [str(label) for label in values[dim].values]


def check_domains(values: xr.DataArray, domains: Sequence[str]) -> None:
    """Check that every plan forecasts every domain.

    Parameters
    ----------
    values : xarray.DataArray
        nats/token, dims (plan, domain, step, chain, draw).
    domains : sequence of str
        Domains that are needed.

    Raises
    ------
    PlanError
        If a domain is not in the forecast at all (the message lists those known), or a plan does
        not forecast it.
    """
    known = names(values, "domain")
    for domain in domains:
        if domain not in known:
            raise PlanError(f"unknown domain {domain!r}; the forecast knows {known}")
    absent = missing_domains(values)
    for plan, gaps in absent.items():
        for domain in domains:
            if domain in gaps:
                raise PlanError(
                    f"plan {plan!r} has no forecast on domain {domain!r}; leave the plan or the "
                    "domain out"
                )


def missing_domains(values: xr.DataArray) -> dict[str, list[str]]:
    """Return, for each plan, the domains it does not forecast at any step.

    Parameters
    ----------
    values : xarray.DataArray
        nats/token, dims (plan, domain, step, chain, draw).

    Returns
    -------
    dict of str to list of str
        Plans in their own order.
    """
    absent = np.isnan(values.values).all(axis=(2, 3, 4))
    domains = names(values, "domain")
    return {
        plan: [domain for domain, gone in zip(domains, row, strict=True) if gone]
        for plan, row in zip(names(values, "plan"), absent, strict=True)
    }


def check_by(by: str) -> None:
    """Check the name of the step at which plans are judged.

    Parameters
    ----------
    by : str
        `end` or `best`.

    Raises
    ------
    PlanError
        If it is neither.
    """
    if by not in ("end", "best"):
        raise PlanError(f"by is {by!r}; it must be 'end' or 'best'")


def last_steps(values: xr.DataArray) -> NDArray[np.intp]:
    """Return the index of each plan's last forecast step, which may come before its end.

    Parameters
    ----------
    values : xarray.DataArray
        nats/token, dims (plan, domain, step, chain, draw).

    Returns
    -------
    ndarray of int, shape (n_plans,)
        Index into `step`.

    Raises
    ------
    PlanError
        If a plan has no forecast at any step.
    """
    present = ~np.isnan(values.values).all(axis=(1, 3, 4))
    for plan, row in zip(names(values, "plan"), present, strict=True):
        if not row.any():
            raise PlanError(f"plan {plan!r} has no forecast at any step")
    return present.shape[1] - 1 - np.argmax(present[:, ::-1], axis=1)


def end_steps(
    values: xr.DataArray, fc: ForecastLike | xr.Dataset
) -> tuple[NDArray[np.intp], list[str]]:
    """Return the index of the step at which each plan ends.

    A plan ends at the last step of its schedule. Where the forecast holds no recipe of a plan, as
    a dataset alone never does, its last forecast step is taken instead, with a warning.

    Parameters
    ----------
    values : xarray.DataArray
        nats/token, dims (plan, domain, step, chain, draw).
    fc : ForecastLike or xarray.Dataset
        Forecast that the values come from.

    Returns
    -------
    index : ndarray of int, shape (n_plans,)
        Index into `step`.
    warnings : list of str
        Plans whose end is not known.

    Raises
    ------
    PlanError
        If the forecast does not reach the end of a plan, or a plan has no forecast at any step.
    """
    ends = _schedule_ends(fc)
    index = last_steps(values)
    steps = values["step"].values
    unknown: list[str] = []
    not_reached: dict[str, int] = {}
    for k, plan in enumerate(names(values, "plan")):
        if plan not in ends:
            unknown.append(f"{plan!r} at {steps[index[k]]}")
            continue
        at_end = np.flatnonzero(steps == ends[plan])
        if at_end.size and not np.isnan(values.values[k, :, at_end[0]]).all():
            index[k] = at_end[0]
        else:
            not_reached[plan] = int(steps[index[k]])
    if not_reached:
        plan, last = next(iter(not_reached.items()))
        needed = sorted({ends[name] for name in not_reached})
        raise PlanError(
            f"plan {plan!r} ends at step {ends[plan]}, where it is not forecast (its last forecast "
            f"step is {last}), so it cannot be judged at its end: forecast with steps including "
            f"{', '.join(map(str, needed))}"
        )
    if not unknown:
        return index, []
    note = (
        "the forecast holds no recipe of some plans, so they are judged at their last forecast "
        f"step, which may not be their end: {', '.join(unknown)}"
    )
    return index, [note]


def _schedule_ends(fc: ForecastLike | xr.Dataset) -> dict[str, int]:
    """Return the last step of each plan whose recipe the forecast holds."""
    # A dataset's attribute could be a variable of that name.
    plans = () if isinstance(fc, xr.Dataset) else getattr(fc, "plans", ())
    return {plan.name: len(plan.schedule.lr) for plan in plans}


def at_steps(values: xr.DataArray, index: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return the draws at one step per plan.

    Parameters
    ----------
    values : xarray.DataArray
        nats/token, dims (plan, domain, step, chain, draw).
    index : ndarray of int, shape (n_plans,)
        Index into `step` for each plan.

    Returns
    -------
    ndarray, shape (n_plans, n_domains, n_chains, n_draws)
        nats/token.

    Raises
    ------
    PlanError
        If a draw is NaN or infinite there.
    """
    picked = np.stack([values.values[plan, :, step] for plan, step in enumerate(index)])
    bad = (~np.isfinite(picked)).sum(axis=(2, 3))
    if bad.any():
        plan, domain = np.argwhere(bad)[0]
        raise PlanError(
            f"plan {names(values, 'plan')[plan]!r}, domain {names(values, 'domain')[domain]!r}, "
            f"step {values['step'].values[index[plan]]}: {bad[plan, domain]} of "
            f"{picked[0, 0].size} draws are not finite"
        )
    return np.asarray(picked, dtype=np.float64)
