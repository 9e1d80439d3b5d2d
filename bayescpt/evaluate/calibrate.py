"""Simulation-based calibration: draw from the prior, simulate, fit and rank the truth."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from contextlib import nullcontext
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
    draw_effects,
    draw_parameters,
    draw_spreads,
    with_losses,
)
from bayescpt.evaluate.kept import effective
from bayescpt.evaluate.ranks import Calibration, ranks_of
from bayescpt.evaluate.several_sizes import several_sizes
from bayescpt.evaluate.simulate import simulate_study
from bayescpt.evaluate.splits import split_by_run
from bayescpt.random_seed import takes_seed
from bayescpt.work import Work, digest

if TYPE_CHECKING:
    from bayescpt.data import Study
    from bayescpt.model.card import Card
    from bayescpt.model.rows import Rows

Array = NDArray[np.float64]

_TRIES = 1000


@takes_seed
def calibrate(
    card: str | Path | Card = "cpt_replay",
    *,
    design: Study | None = None,
    held_out: str | None = None,
    n_simulations: int = 300,
    n_ranks: int = 99,
    random_seed: int = 1,
    executor: Executor | None = None,
    fit: Callable[..., Any] | None = None,
    on_simulation: Callable[[int], None] | None = None,
    run_effects: bool = False,
    work: str | Path | None = None,
    **fit_options: Any,
) -> Calibration:
    """Simulation-based calibration of a card (Talts et al., arXiv 1804.06788).

    Each simulation draws all parameters from the card's priors and all losses of the design given
    them, fits every run but one, and ranks the true parameters and the final loss of the held-out
    run among the draws. If prior, likelihood, sampler and forecast agree, the ranks are uniform.
    Impossible studies (a loss of 0 or less, or rows that the card would drop) are redrawn together
    with their parameters. This preserves calibration, as it conditions on an event of the data.

    By default the law and the noise are tested without effects of runs. Those are not part of the
    sampled model but estimated afterwards (`bayescpt.forecast.discrepancy.judge`), and widen the
    bands of real runs. With `run_effects`, the simulations draw their spreads from the priors and
    the refits estimate them; then only the final losses of the held-out run are ranked, because
    the posterior of the law is sampled as if there were no effects.

    Parameters
    ----------
    card : str, Path or Card
        The card.
    design : Study, optional
        Runs and evaluation steps. Losses are replaced, except at step 0 of CPT runs, which is
        required for each start checkpoint on each domain. By default four short CPT runs, or three
        pre-training runs for a card without a shift.
    held_out : str, optional
        Run that is forecast and not fitted; by default the last eligible one.
    n_simulations : int
        Number of simulations.
    n_ranks : int
        Number of evenly spaced draws among which the truth is ranked; few enough to be nearly
        independent.
    random_seed : int
        Seed of all simulations; also accepted as ``seed``.
    executor : concurrent.futures.Executor, optional
        Executor of the simulations; by default they run sequentially in this process.
    fit : callable, optional
        Replacement for ``bayescpt.fit`` with the same signature; picklable if an executor is used.
    on_simulation : callable, optional
        Called with the number of each simulation when it is done, in order.
    run_effects : bool
        Also simulate and estimate the card's effects of runs.
    work : str or Path, optional
        Folder in which finished simulations are kept, and from which they are taken if the same
        calibration, of any number of simulations, was interrupted; the result is the same to the
        bit. Delete it once the result is saved.
    **fit_options
        Passed to the fit; the defaults are ``progress=False`` and ``extend=1``.

    Returns
    -------
    Calibration
        Ranks and tests of their uniformity.

    Raises
    ------
    CardError
        If `run_effects` is set for a card that has none.
    StudyError
        If the design lacks the loss of a start checkpoint, or no possible study was drawn in 1,000
        tries.
    WorkError
        If the work folder holds simulations of another calibration, or another process works there.

    Examples
    --------
    >>> import bayescpt as bc
    >>> calibration = bc.calibrate("cpt_replay", n_simulations=300)  # doctest: +SKIP
    >>> calibration.uniform(), calibration.control_rejected()  # doctest: +SKIP
    (True, True)
    """
    from bayescpt.model.card_file import load_card
    from bayescpt.model.fitted_card import fitted_card

    model_card = load_card(card)
    if not run_effects and not model_card.marginal_effects:
        model_card = replace(model_card, run_effects=())
    elif not model_card.run_effects:
        raise CardError(f"card {model_card.name!r} has no effects of runs (noise.run_effects)")
    study = _default_design(model_card) if design is None else design
    model_card = fitted_card(study, model_card)
    run = split_by_run(study)[-1].run if held_out is None else held_out
    _check_starts(study)
    setup = _prepare(study, model_card, run)
    tasks = [(setup, n, random_seed, n_ranks, fit, fit_options) for n in range(n_simulations)]
    about: dict[str, Any] = {
        "calibration": model_card.name,
        "card": digest(model_card),
        "held out": run,
    }
    about |= {"design": digest(study.to_json()), "n_ranks": n_ranks, "random_seed": random_seed}
    about |= {"fit": fit, **effective(fit_options)}
    ranks, fits = [], []
    with nullcontext() if work is None else Work(work, about) as kept:
        for n, (ranked, report) in enumerate(run_tasks(simulation, tasks, executor, kept)):
            ranks.append(ranked)
            fits.append(report)
            if on_simulation is not None:
                on_simulation(n)
    return Calibration(pd.concat(ranks, ignore_index=True), pd.DataFrame(fits), n_ranks)


@dataclass(frozen=True, eq=False)
class Setup:
    """Inputs shared by all simulations.

    Attributes
    ----------
    design : str
        Study as JSON, with curves on the card's domains.
    card : Card
        The card.
    run : str
        Run that is forecast.
    visible : ndarray of bool, shape (n_rows,)
        Rows of the design that are fitted.
    fitted : Rows
        Arrays of the fitted rows.
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
        # Labels of all runs, including the held-out one.
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
    """Run one simulation: draw, fit and rank; all arguments can be pickled.

    Parameters
    ----------
    setup : Setup
        Inputs shared by all simulations.
    number : int
        Number of the simulation.
    seed : int
        Seed of all simulations.
    n_ranks : int
        Number of draws to rank among.
    fit : callable or None
        Replacement for ``bayescpt.fit``.
    fit_options : dict
        Options of the fit.

    Returns
    -------
    ranks : DataFrame
        Rows of `Calibration.ranks`.
    report : dict
        Columns of `Calibration.fits`.
    """
    from bayescpt.data import Study
    from bayescpt.forecast import Plan
    from bayescpt.inference import fit as sampled

    # Ranks need few draws, and poor mixing should show up in them.
    sample: Callable[..., Any] = partial(sampled, extend=1) if fit is None else fit
    start = time.perf_counter()
    rng = np.random.default_rng([seed, number])
    design = Study.from_json(setup.design)
    train, truth, finals, redraws = _draw(design, setup, rng)
    fit_seed = int(rng.integers(2**31))
    fitted = sample(train, card=setup.card, seed=fit_seed, **{"progress": False, **fit_options})

    quantities = _quantities(truth, fitted.posterior)
    last = np.unique(finals["step"])
    forecast = fitted.forecast(
        [Plan.from_run(train.run(setup.run))], last, fit_seed, allow_failed=True
    )
    kinds: tuple[str, ...] = ("mu", "loss")
    if setup.card.run_effects and not setup.card.marginal_effects:
        quantities, kinds = {}, ("loss",)
    for row in finals.itertuples(index=False):
        for kind in kinds:
            draws = forecast.dataset[kind].isel(plan=0).sel(domain=row.domain, step=row.step)
            quantities[f"final {kind}[{row.domain}]"] = (getattr(row, kind), draws.values.ravel())
    ranked = [
        {"simulation": number, "quantity": name, **ranks_of(value, draws, n_ranks, rng)}
        for name, (value, draws) in quantities.items()
    ]
    report = {
        "simulation": number,
        "redraws": redraws,
        "effective_draws": next(c.value for c in fitted.checks() if c.name == "bulk ESS"),
        "seconds": time.perf_counter() - start,
    }
    return pd.DataFrame(ranked), report


def _default_design(card: Card) -> Study:
    """Small design, since a calibration fits many times."""
    if not card.continual:
        return simulate_study(continual=False, pt_eval_every=1000, name="calibration").study
    simulated = simulate_study(
        replays=(0.0, 0.25), cpt_schedules=("wsd", "cosine"), cpt_steps=4000, eval_every=250,
        pt_eval_every=1000, name="calibration",
    )  # fmt: skip
    if "size" in {term.slot for term in card.law.terms}:
        return several_sizes(simulated.study, {4.0: 0.6})
    return simulated.study


def _check_starts(design: Study) -> None:
    """Require measured start levels, since simulated losses must not set them."""
    for checkpoint in {design.run(name).parent for name in design.cpt_runs}:
        children = design.runs.loc[design.runs["parent"] == checkpoint, "run"]
        rows = design.curves[design.curves["run"].isin(children) & (design.curves["step"] == 0)]
        for domain in (design.general, *design.targets):
            if domain in design.domains and domain not in set(rows["domain"]):
                raise StudyError(
                    f"study {design.name!r}: no run from {checkpoint!r} has a loss at step 0 on "
                    f"domain {domain!r}; calibration requires it"
                )


def _draw(
    design: Study, setup: Setup, rng: np.random.Generator
) -> tuple[Study, xr.Dataset, pd.DataFrame, int]:
    """Training study, truth, final losses of the held-out run, and number of redraws."""
    from bayescpt.model.rows import make_rows

    card = setup.card
    for redraws in range(_TRIES):
        values = draw_spreads(card, draw_parameters(card, setup.drawn, rng), setup.fitted, rng)
        if card.marginal_effects:
            values = draw_effects(card, design, values, setup.fitted, setup.drawn, rng)
        table = draw_curves(card, design, setup.drawn, values, int(rng.integers(2**31)))
        train = with_losses(design, table[setup.visible].reset_index(drop=True))
        losses = train.curves["loss"]
        possible = bool((np.isfinite(losses) & (losses > 0)).all())
        if possible and _same_rows(setup.fitted, make_rows(train, card)):
            finals = table[table["run"] == setup.run].groupby("domain", sort=False).tail(1)
            return train, values.isel(chain=0, draw=0, drop=True), finals, redraws
    raise StudyError(
        f"study {design.name!r}: {_TRIES} draws from the priors of card {card.name!r} gave no "
        "possible study; its priors allow losses of 0 or less almost everywhere"
    )


def _same_rows(rows: Rows, others: Rows) -> bool:
    return rows.labels == others.labels and len(rows.loss) == len(others.loss)


def _quantities(truth: xr.Dataset, posterior: xr.Dataset) -> dict[str, tuple[float, Array]]:
    """True value and draws of every sampled parameter."""
    out: dict[str, tuple[float, Array]] = {}
    sampled = {name for name, drawn in posterior.items() if drawn.attrs.get("sampled")}
    if missing := sampled.difference(truth):
        raise FitError(
            f"the fit sampled {', '.join(sorted(map(str, missing)))}, which the simulation did not "
            "draw: extend bayescpt.evaluate.generate"
        )
    for name in truth.data_vars:
        # Derived quantities would only add redundant comparisons.
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
