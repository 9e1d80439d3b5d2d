"""Sensitivity of a fit to its priors and its data, by power-scaling."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr

from bayescpt.errors import FitError
from bayescpt.forecast import Plan
from bayescpt.inference.advice import pilot_advice, study_pilots
from bayescpt.inference.fit import Fit
from bayescpt.inference.idata import log_prior
from bayescpt.inference.likelihood import RowDistribution

# Threshold of Kallioinen et al., as in ArviZ.
THRESHOLD = 0.05
PRIOR_CARRIES = "prior-driven"
DISAGREE = "prior-data conflict"


def prior_sensitivity(
    fit: Fit, plans: Sequence[Plan] | Plan = (), allow_failed: bool = False
) -> pd.DataFrame:
    """Sensitivity to weaker or stronger priors, without refitting.

    A prior, or the likelihood, is raised to a power near 1 and the draws are reweighted (Kallioinen
    et al., Stat Comput 34, 57, 2024; ``arviz_stats.psense``). The values are the distance by which
    the distribution moves per doubling of the power. For a parameter, its own prior is scaled; for
    a final loss, the prior with the largest effect.

    Parameters
    ----------
    fit : Fit
        Fit of a card with independent normal noise.
    plans : Plan or sequence of Plan
        Plans whose expected final losses are included, where the fit covers their target.
    allow_failed : bool
        Proceed even if a convergence check failed.

    Returns
    -------
    DataFrame
        Index: parameter, or ``final loss PLAN[domain]``. Columns: scaled (the parameter whose prior
        is scaled), prior and likelihood (sensitivities: 0 is no effect, above .05 is notable), and
        finding (text; empty if the data dominate). ``attrs["advice"]`` lists informative pilot
        runs: a sentence and, below it, a ``[[plan]]`` that can be pasted into a plans file.

    Raises
    ------
    ConvergenceError
        If a check failed and `allow_failed` is not set.
    FitError
        If the noise of the card is not independent and normal.
    PlanError
        If a plan does not match the study.

    Examples
    --------
    >>> import bayescpt as bc
    >>> fit = bc.load_fit("fit.nc")  # doctest: +SKIP
    >>> table = bc.prior_sensitivity(fit)  # doctest: +SKIP
    >>> table[table["finding"] != ""]  # doctest: +SKIP
    """
    from arviz_stats import psense

    card = fit.card
    if not card.plain_noise:
        raise FitError(
            f"card {card.name!r}: prior sensitivity needs a card with independent normal "
            "noise (family = 'normal', without ar1 and domain_correlation)"
        )
    tree = xr.DataTree.from_dict(
        {
            "/posterior": _quantities(fit, plans, allow_failed),
            "/log_prior": _log_prior(fit),
            "/log_likelihood": _log_likelihood(fit, allow_failed),
        }
    )
    scaled = {
        str(name): psense(tree, group="prior", group_var_names=str(name))
        for name in tree["log_prior"].data_vars
    }
    by_data = psense(tree, group="likelihood")
    rows = {}
    for name in map(str, tree["posterior"].data_vars):
        own = name.partition("[")[0]
        of = own if own in scaled else max(scaled, key=lambda p, q=name: float(scaled[p][q]))  # type: ignore[misc]
        rows[name] = (of, float(scaled[of][name]), float(by_data[name]))
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["scaled", "prior", "likelihood"])
    table = table.rename_axis("quantity")
    table["finding"] = [
        ("" if prior <= THRESHOLD else DISAGREE if likelihood > THRESHOLD else PRIOR_CARRIES)
        for prior, likelihood in zip(table["prior"], table["likelihood"], strict=True)
    ]
    loose = table.loc[table["finding"] == PRIOR_CARRIES, "scaled"]
    pilots = study_pilots(fit.study, card, fit.rows)
    table.attrs["advice"] = [str(one) for one in pilot_advice(loose, card, pilots)]
    return table


def _quantities(fit: Fit, plans: Sequence[Plan] | Plan, allow_failed: bool) -> xr.Dataset:
    """All parameters of the card and final losses of the plans, by entry, dims (chain, draw)."""
    out = {}
    for name in (name for name in fit.card.priors if name in fit.posterior):
        values = fit.posterior[name]
        rest = [dim for dim in values.dims if dim not in ("chain", "draw")]
        if not rest:
            out[str(name)] = values.drop_vars(set(values.coords) - {"chain", "draw"})
            continue
        for label in values[rest[0]].to_numpy():
            if fit.card.uses(str(name), str(label)):
                out[f"{name}[{label}]"] = values.sel({rest[0]: label}, drop=True)
    recipes = [plans] if isinstance(plans, Plan) else list(plans)
    sizes = (fit.posterior.sizes["chain"], fit.posterior.sizes["draw"])
    for plan in recipes:
        last = fit.forecast(plan, [plan.schedule.n_steps], allow_failed=allow_failed).dataset["mu"]
        for domain in last["domain"].to_numpy():
            final = last.sel(domain=domain).to_numpy().reshape(sizes)
            if not np.isfinite(final).all():
                continue  # no fitted run has this target and domain
            out[f"final loss {plan.name}[{domain}]"] = xr.DataArray(final, dims=("chain", "draw"))
    return xr.Dataset({name: value.variable for name, value in out.items()})


def _log_prior(fit: Fit) -> xr.Dataset:
    found = log_prior(fit.card, fit.posterior, fit.rows)
    own = {name: found[name] for name in map(str, fit.card.priors) if name in found}
    rest = {name: [d for d in v.dims if d not in ("chain", "draw")] for name, v in own.items()}
    return xr.Dataset({name: value.sum(rest[name]).variable for name, value in own.items()})


def _log_likelihood(fit: Fit, allow_failed: bool) -> xr.Dataset:
    sizes = (fit.posterior.sizes["chain"], fit.posterior.sizes["draw"])
    total = RowDistribution(fit.draws(allow_failed)).log_likelihood().sum(axis=1)
    return xr.Dataset({"loss": (("chain", "draw"), total.reshape(sizes))})
