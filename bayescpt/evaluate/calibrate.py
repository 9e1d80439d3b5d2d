"""Simulation-based calibration: draw from the prior, simulate, fit, rank the truth."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from bayescpt.errors import CardError, FitError, StudyError
from bayescpt.evaluate.execute import run_tasks
from bayescpt.evaluate.generate import (
    draw_curves,
    draw_parameters,
    draw_spreads,
    with_losses,
)
from bayescpt.evaluate.ranks import Calibration, ranks_of
from bayescpt.evaluate.simulate import simulate_study
from bayescpt.evaluate.splits import split_by_run

if TYPE_CHECKING:
    from bayescpt.data import Study
    from bayescpt.model.card import Card
    from bayescpt.model.rows import Rows

Array = NDArray[np.float64]

_TRIES = 1000


def calibrate(
    card: str | Path | Card = "cpt_replay",
    *,
    design: Study | None = None,
    held_out: str | None = None,
    n_simulations: int = 300,
    n_ranks: int = 99,
    seed: int = 1,
    executor: Executor | None = None,
    fit: Callable[..., Any] | None = None,
    on_simulation: Callable[[int], None] | None = None,
    run_effects: bool = False,
    **fit_options: Any,
) -> Calibration:
    """Simulation-based calibration of a card (Talts et al., arXiv 1804.06788).

    Each simulation draws all parameters from the card's priors and all losses of the design from
    them, fits every run but one, and ranks the true parameters, and the final loss of the run
    left out, among the draws. If prior, likelihood, sampler and forecast agree, ranks are uniform.
    Studies that could not be (a loss of 0 or less, or rows that the card would leave out) are drawn
    again, parameters and all, which leaves calibration as it is: the event is one of the data.

    By default law and noise are tested, without effects of runs: those are no part of the model
    that is sampled, but judged afterwards (`bayescpt.forecast.discrepancy.judge`), and they are
    what widens the bands of real runs. With `run_effects` the simulations draw their sizes from
    their priors and the refits judge them; then only the final losses of the run left out are
    ranked, as the law's own posteriors are sampled as if there were no effects.

    Parameters
    ----------
    card : str, Path or Card
        The card.
    design : Study, optional
        Runs and evaluation steps; losses are replaced, but for step 0 of CPT runs, which each start
        checkpoint needs on each domain. By default four short CPT runs, or three pre-training runs
        for a card without a shift.
    held_out : str, optional
        Run that is forecast, not fitted; by default the last that can be.
    n_simulations : int
        Number of simulations.
    n_ranks : int
        Draws that the truth is ranked among, evenly spaced; few enough to be nearly independent.
    seed : int
        Seed of all simulations.
    executor : concurrent.futures.Executor, optional
        Runs the simulations; by default they run here, one after the other.
    fit : callable, optional
        In place of ``bayescpt.fit``; called the same way. It must pickle if there is an executor.
    on_simulation : callable, optional
        Called with the number of each simulation as it is done, in their order.
    run_effects : bool
        Simulate and judge the card's effects of runs too.
    **fit_options
        Passed to the fit; unless given, ``progress=False`` and ``extend=1``.

    Returns
    -------
    Calibration
        Ranks and their tests.

    Raises
    ------
    CardError
        If `run_effects` is asked of a card that has none.
    StudyError
        If the design lacks the loss of a start checkpoint, or no study that could be was drawn in
        1,000 tries.
    """
    from bayescpt.model.card_file import load_card

    read = load_card(card)
    if not run_effects:
        read = replace(read, run_effects=())
    elif not read.run_effects:
        raise CardError(f"card {read.name!r} has no effects of runs (noise.run_effects)")
    study = _default_design(read) if design is None else design
    run = split_by_run(study)[-1].run if held_out is None else held_out
    _check_starts(study)
    setup = _prepare(study, read, run)
    tasks = [(setup, n, seed, n_ranks, fit, fit_options) for n in range(n_simulations)]
    results = run_tasks(simulation, tasks, executor)
    ranks, fits = [], []
    for n, (ranked, report) in enumerate(results):
        ranks.append(ranked)
        fits.append(report)
        if on_simulation is not None:
            on_simulation(n)
    return Calibration(pd.concat(ranks, ignore_index=True), pd.DataFrame(fits), n_ranks)


@dataclass(frozen=True, eq=False)
class Setup:
    """What all simulations have in common.

    Attributes
    ----------
    design : str
        Study, as JSON, its curves on the card's domains.
    card : Card
        The card.
    run : str
        Run that is forecast.
    visible : ndarray of bool, shape (n_rows,)
        Rows of the design that the fit sees.
    fitted : Rows
        Arrays of those.
    drawn : Rows
        Arrays of all rows, with the reference points of the fit.
    """

    design: str
    card: Card
    run: str
    visible: NDArray[np.bool_]
    fitted: Rows
    drawn: Rows


def _prepare(study: Study, card: Card, run: str) -> Setup:
    from bayescpt.model.rows import make_rows

    everything = make_rows(study, card)
    kept = study.curves["domain"].isin(everything.labels.domain)
    design = replace(study, curves=study.curves[kept].reset_index(drop=True))
    train = split_by_run(design, [run])[0].train
    keys = ["run", "step", "domain"]
    seen = pd.MultiIndex.from_frame(train.curves[keys])
    fitted = make_rows(train, card)
    return Setup(
        design=design.to_json(),
        card=card,
        run=run,
        visible=pd.MultiIndex.from_frame(design.curves[keys]).isin(seen),
        fitted=fitted,
        # Labels of all runs, the one left out too.
        drawn=make_rows(study, card, fitted.refs),
    )


def simulation(
    setup: Setup,
    number: int,
    seed: int,
    n_ranks: int,
    fit: Callable[..., Any] | None,
    fit_options: dict[str, Any],
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """One simulation: draw, fit, rank. All arguments pickle.

    Parameters
    ----------
    setup : Setup
        What is simulated.
    number : int
        Number of the simulation.
    seed : int
        Seed of all simulations.
    n_ranks : int
        Draws to rank among.
    fit : callable or None
        In place of ``bayescpt.fit``.
    fit_options : dict
        Of the fit.

    Returns
    -------
    ranks : DataFrame
        Rows of `Calibration.ranks`.
    report : dict
        Columns of `Calibration.fits`.
    """
    from bayescpt.data import Study
    from bayescpt.forecast import Plan

    if fit is None:
        from bayescpt.inference import fit as sampled

        # Ranks need few draws, and what has not mixed is to show.
        fit = partial(sampled, extend=1)
    begun = time.perf_counter()
    rng = np.random.default_rng([seed, number])
    design = Study.from_json(setup.design)
    train, truth, finals, redraws = _draw(design, setup, rng)
    fit_seed = int(rng.integers(2**31))
    fitted = fit(train, card=setup.card, seed=fit_seed, **{"progress": False, **fit_options})

    found = _quantities(truth, fitted.posterior)
    last = np.unique(finals["step"])
    made = fitted.forecast(
        [Plan.from_run(train.run(setup.run))], steps=last, seed=fit_seed, allow_failed=True
    )
    judged: tuple[str, ...] = ("mu", "loss")
    if setup.card.run_effects:
        found, judged = {}, ("loss",)
    for row in finals.itertuples(index=False):
        for kind in judged:
            draws = made.dataset[kind].isel(plan=0).sel(domain=row.domain, step=row.step)
            found[f"final {kind}[{row.domain}]"] = (getattr(row, kind), draws.values.ravel())
    ranked = [
        {"simulation": number, "quantity": name, **ranks_of(value, draws, n_ranks, rng)}
        for name, (value, draws) in found.items()
    ]
    report = {
        "simulation": number,
        "redraws": redraws,
        "effective_draws": next(c.value for c in fitted.checks() if c.name == "bulk ESS"),
        "seconds": time.perf_counter() - begun,
    }
    return pd.DataFrame(ranked), report


def _default_design(card: Card) -> Study:
    """Few runs and rows, as a calibration fits many times."""
    if not card.continual:
        return simulate_study(continual=False, pt_eval_every=1000, name="calibration").study
    made = simulate_study(
        replays=(0.0, 0.25), cpt_schedules=("wsd", "cosine"), cpt_steps=4000, eval_every=250,
        pt_eval_every=1000, name="calibration",
    )  # fmt: skip
    return made.study


def _check_starts(design: Study) -> None:
    """Start levels must not come from losses that are simulated."""
    for checkpoint in {design.run(name).parent for name in design.cpt_runs}:
        children = design.runs.loc[design.runs["parent"] == checkpoint, "run"]
        rows = design.curves[design.curves["run"].isin(children) & (design.curves["step"] == 0)]
        for domain in (design.general, *design.targets):
            if domain in design.domains and domain not in set(rows["domain"]):
                raise StudyError(
                    f"study {design.name!r}: no run from {checkpoint!r} has a loss at step 0 on "
                    f"domain {domain!r}; a calibration needs it"
                )


def _draw(
    design: Study, setup: Setup, rng: np.random.Generator
) -> tuple[Study, xr.Dataset, pd.DataFrame, int]:
    """Training study, truth, finals of the held-out run, and how many draws could not be."""
    from bayescpt.model.rows import make_rows

    card = setup.card
    for redraws in range(_TRIES):
        values = draw_spreads(card, draw_parameters(card, setup.drawn, rng), rng)
        table = draw_curves(card, design, setup.drawn, values, int(rng.integers(2**31)))
        train = with_losses(design, table[setup.visible].reset_index(drop=True))
        losses = train.curves["loss"]
        could_be = bool((np.isfinite(losses) & (losses > 0)).all())
        if could_be and _same_rows(setup.fitted, make_rows(train, card)):
            finals = table[table["run"] == setup.run].groupby("domain", sort=False).tail(1)
            return train, values.isel(chain=0, draw=0, drop=True), finals, redraws
    raise StudyError(
        f"study {design.name!r}: {_TRIES} draws from the priors of card {card.name!r} gave no "
        "study that could be; its priors allow losses of 0 or less almost everywhere"
    )


def _same_rows(rows: Rows, others: Rows) -> bool:
    return rows.labels == others.labels and len(rows.loss) == len(others.loss)


def _quantities(truth: xr.Dataset, posterior: xr.Dataset) -> dict[str, tuple[float, Array]]:
    """True value and draws of every parameter that both hold."""
    out: dict[str, tuple[float, Array]] = {}
    sampled = {name for name, drawn in posterior.items() if drawn.attrs.get("sampled")}
    if missed := sampled.difference(truth):
        raise FitError(
            f"the fit sampled {', '.join(sorted(map(str, missed)))}, which the simulation did not "
            "draw: extend bayescpt.evaluate.generate"
        )
    for name in truth.data_vars:
        # What is derived from the sampled parameters would only add comparisons.
        if name not in posterior or not posterior[name].attrs.get("sampled", 1):
            continue
        draws = posterior[name]
        dims: Sequence[Any] = truth[name].dims
        if not dims:
            out[str(name)] = (float(truth[name]), draws.values.ravel())
            continue
        for label in truth[name][dims[0]].values:
            if label in draws[dims[0]].values:
                at = {dims[0]: label}
                out[f"{name}[{label}]"] = (
                    float(truth[name].sel(at)),
                    draws.sel(at).values.ravel(),
                )
    return out
