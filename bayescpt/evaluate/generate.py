"""A draw from the generative model of a card: parameters from the priors, then losses."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr

from bayescpt.forecast import Draws, Plan, forecast
from bayescpt.forecast.discrepancy.effects import run_effects
from bayescpt.forecast.discrepancy.judge import (
    FAR_SCALE,
    NEAR_SCALE,
    fitted_ratios,
    pilots_by_domain,
)
from bayescpt.forecast.discrepancy.spread import effect_unit
from bayescpt.forecast.plan import plan_trajectory

if TYPE_CHECKING:
    from bayescpt.data import Study
    from bayescpt.model.card import Card
    from bayescpt.model.rows import Rows


def draw_parameters(card: Card, rows: Rows, rng: np.random.Generator) -> xr.Dataset:
    """Draw every parameter of a card from its prior.

    Parameters
    ----------
    card : Card
        Card with the parameters and their priors.
    rows : Rows
        Labels, reference points and measured start levels.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    Dataset
        A posterior of one chain and one draw, with the paper's symbols.
    """
    # This does not load the sampler.
    from bayescpt.inference.idata import prior_draws

    return prior_draws(card, rows, rng, draws=1)


def draw_spreads(
    card: Card, values: xr.Dataset, fitted: Rows, rng: np.random.Generator
) -> xr.Dataset:
    """Draw the spreads of the effects of runs from their priors.

    Parameters
    ----------
    card : Card
        Card with the effects of runs.
    values : Dataset
        Output of `draw_parameters`.
    fitted : Rows
        Rows of the runs that are fitted.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    Dataset
        `values` with ``discrepancy_near`` and ``discrepancy_far``, from which curves draw the
        effects of every run; unchanged for a card without effects.
    """
    if not card.run_effects:
        return values
    groups = dict.fromkeys(card.law.effects[name][1].group for name in card.run_effects)
    names = [f"{group}|{domain}" for group in groups for domain in values["domain"].to_numpy()]
    place = {"chain": [0], "draw": [0], "discrepancy": names}
    shape = (1, 1, len(names))
    if card.marginal_effects:
        pilots = np.tile(pilots_by_domain(fitted.labels), len(groups))
        near, far = fitted_ratios(shape, pilots, rng)
    else:
        near, far = (
            scale * np.abs(rng.standard_normal(shape)) for scale in (NEAR_SCALE, FAR_SCALE)
        )
    dims, attrs = ("chain", "draw", "discrepancy"), {"units": "1", "sampled": 0}
    return values.assign(
        discrepancy_near=xr.DataArray(near, place, dims, attrs=attrs),
        discrepancy_far=xr.DataArray(far, place, dims, attrs=attrs),
    )


def draw_effects(
    card: Card,
    design: Study,
    values: xr.Dataset,
    fitted: Rows,
    drawn: Rows,
    rng: np.random.Generator,
) -> xr.Dataset:
    """Draw the effects of all runs, for a card whose likelihood has them.

    Parameters
    ----------
    card : Card
        Card with ``marginal_effects``.
    design : Study
        The runs.
    values : Dataset
        Output of `draw_spreads`.
    fitted : Rows
        Rows of the runs that are fitted: their effects are independent, of the fitted size.
    drawn : Rows
        Rows of all runs: effects of others are drawn as forecasts draw them, given those of the
        fitted ones.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    Dataset
        `values` with ``effect_*``, dims (chain, draw, curve).
    """
    names, warmup = card.run_effects, fitted.refs.warmup
    runs = dict.fromkeys(run for run, _ in drawn.labels.curve)
    paths = {run: plan_trajectory(Plan.from_run(design.run(run)), design, warmup) for run in runs}

    def _with(effects: list[list[float]], rows: Rows) -> xr.Dataset:
        place = {"chain": [0], "draw": [0], "curve": list(rows.labels.curve_names)}
        by_name = np.reshape(effects, (-1, len(names))).T
        return values.assign(
            {
                f"effect_{name}": xr.DataArray(
                    own[None, None], place, ("chain", "draw", "curve"), attrs={"units": "nat"}
                )
                for name, own in zip(names, by_name, strict=True)
            }
        )

    draws, by_curve = Draws(values, card, design, fitted), {}
    for run, domain in fitted.labels.curve:
        units = [float(effect_unit(draws, name, paths[run], domain)[0]) for name in names]
        by_curve[run, domain] = [unit * rng.standard_normal() for unit in units]
    draws = Draws(_with([*by_curve.values()], fitted), card, design, fitted)
    for run, domain in drawn.labels.curve:
        if (run, domain) not in by_curve:
            distance = draws.extrapolation(paths[run])
            new = run_effects(draws, paths[run], domain, distance, rng)
            by_curve[run, domain] = new.whole[:, 0].tolist()
    return _with([by_curve[curve] for curve in drawn.labels.curve], drawn)


def draw_curves(
    card: Card, design: Study, rows: Rows, values: xr.Dataset, seed: int
) -> pd.DataFrame:
    """Draw the losses of a design from known parameters.

    Parameters
    ----------
    card : Card
        Law and noise.
    design : Study
        Runs and evaluation steps.
    rows : Rows
        Labels of all runs of the design, and reference points.
    values : Dataset
        A posterior of one chain and one draw.
    seed : int
        Seed of the noise.

    Returns
    -------
    DataFrame
        `design.curves` on the card's domains, with columns mu, the expected loss without effects
        of the run, and loss. Trunks are shared. Rows at step 0, and pre-training rows that the card
        does not describe, keep the design's loss.
    """
    table = design.curves[design.curves["domain"].isin(rows.labels.domain)].reset_index(drop=True)
    table["mu"] = table["loss"]
    names = [
        name
        for name in table["run"].unique()
        if design.run(name).phase == "cpt" or card.law.describes_pretraining
    ]
    known = ((table["step"] > 0) & table["run"].isin(names)).to_numpy()
    steps = np.unique(table.loc[known, "step"])
    plans = [Plan.from_run(design.run(name)) for name in names]
    curves = forecast(Draws(values, card, design, rows), plans, steps, seed).dataset
    at = (
        pd.Index(names).get_indexer(pd.Index(table.loc[known, "run"])),
        pd.Index(rows.labels.domain).get_indexer(pd.Index(table.loc[known, "domain"])),
        np.searchsorted(steps, table.loc[known, "step"]),
    )
    for kind in ("mu", "loss"):
        drawn = curves[kind].isel(chain=0, draw=0).transpose("plan", "domain", "step").to_numpy()
        table.loc[known, kind] = drawn[at]
    return share_trunks(design, table)


def share_trunks(design: Study, table: pd.DataFrame) -> pd.DataFrame:
    """Copy the rows of trunks to their branches.

    Parameters
    ----------
    design : Study
        Study that defines the branches; trunks precede their branches.
    table : DataFrame
        Columns run, step, domain and losses.

    Returns
    -------
    DataFrame
        The table, with the losses of branches replaced where their trunk has a row.
    """
    out = table.set_index(["run", "step", "domain"])
    for name in table["run"].unique():
        trunk = design.run(name).branch_of
        if trunk is None:
            continue
        rows = table[(table["run"] == name) & (table["step"] <= design.trunk_step(name))]
        ours = pd.MultiIndex.from_frame(rows[["run", "step", "domain"]])
        theirs = pd.MultiIndex.from_frame(rows.assign(run=trunk)[["run", "step", "domain"]])
        both = theirs.isin(out.index)
        out.loc[ours[both]] = out.loc[theirs[both]].to_numpy()
    return out.reset_index()[list(table.columns)]


def with_losses(design: Study, table: pd.DataFrame) -> Study:
    """Study with the losses of a table, without checks.

    Parameters
    ----------
    design : Study
        The study.
    table : DataFrame
        Columns run, step, domain, loss, in the order of a study's curves.

    Returns
    -------
    Study
        The study with these curves.
    """
    return replace(design, curves=table[["run", "step", "domain", "loss"]])
