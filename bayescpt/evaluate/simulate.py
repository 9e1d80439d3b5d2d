"""Simulated studies with known truth, in the setting and with the coefficients of the paper."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from bayescpt.data import Schedule, Study, published_fits, schedules
from bayescpt.errors import PlanError
from bayescpt.evaluate.generate import draw_curves, share_trunks
from bayescpt.evaluate.simulated_noise import SimulatedNoise
from bayescpt.forecast import Draws, Plan, forecast
from bayescpt.laws.law import Law
from bayescpt.laws.points import References
from bayescpt.laws.term import effect_names
from bayescpt.model.card import Card
from bayescpt.model.card_file import parse_card
from bayescpt.model.rows import Rows, make_rows
from bayescpt.random_seed import takes_seed

Array = NDArray[np.float64]

GENERAL, TARGET = "general", "target"
PEAK_LR = 2e-4
REPLAYS = (0.0, 0.1, 0.25, 0.5)
SCHEDULES = ("constant", "wsd", "cosine")
# Replay responses: no coefficients are published; these halve the general shift at r = .1-.3.
RESPONSES: dict[str, dict[str, tuple[float, float]]] = {
    "own_share": {"replay_gamma": (0.4, 0.6), "replay_eps": (0.03, 0.05)},
    "exponential": {"replay_rate": (2.0, 3.0), "anneal_replay": (0.1, -0.1)},
    "none": {},
}


@dataclass(frozen=True, eq=False)
class Simulation:
    """A simulated study and its true parameters.

    Attributes
    ----------
    study : Study
        Runs and noisy curves.
    truth : xr.Dataset
        True values by their names in a posterior, dims domain, pair, level, curve: on the reference
        scale (base_ref, alpha_s1, shift_ref ...) and the paper's symbols (L0, A, B, E ...).
    expected : DataFrame
        Curves of the study without jitter, outliers and drift: run, step, domain, mean.
    card : Card
        Simulated law, with independent normal noise.
    """

    study: Study
    truth: xr.Dataset
    expected: pd.DataFrame = field(repr=False)
    card: Card = field(repr=False)


@takes_seed
def simulate_study(
    *,
    random_seed: int = 1,
    continual: bool = True,
    fits: tuple[str, str] = ("f3_pt", "f3_cpt"),
    replay: Literal["own_share", "exponential", "none"] = "own_share",
    response: Mapping[str, tuple[float, float]] | None = None,
    replays: Sequence[float] = REPLAYS,
    cpt_schedules: Sequence[str] = SCHEDULES,
    pt_steps: int = 20_000,
    cpt_steps: int = 5_000,
    peak_lr: float = PEAK_LR,
    memory: float = 1000.0,
    eval_every: int | None = None,
    pt_eval_every: int | None = None,
    sigma: float = 0.002,
    discrepancy_sd: float = 0.0,
    discrepancy_length: float = 0.3,
    run_effects: Mapping[str, float] | None = None,
    outlier_share: float = 0.0,
    outlier_sd: float = 0.05,
    shared_trunks: bool = False,
    warmup: str = "true",
    name: str = "simulated",
) -> Simulation:
    """Simulate a study from published coefficients.

    The setting of Wang et al., arXiv 2505.07796: 106M parameters, 4M tokens per step, peak LR 2e-4,
    20,000 steps of pre-training (WSD, 500 of warm-up), then one CPT run per replay ratio and
    schedule. Losses follow Eq. 4 with a replay response, plus noise.

    Parameters
    ----------
    random_seed : int
        Seed of all noise; also accepted as ``seed``.
    continual : bool
        If False, only pre-training runs, one per schedule, on the general domain.
    fits : tuple of (str, str)
        Rows of `bayescpt.data.published_fits` for the general and the target domain.
    replay : {"own_share", "exponential", "none"}
        Replay response, as in the ``[law]`` table of a card.
    response : mapping of str to (float, float), optional
        Its parameters on the general and the target domain; by default `RESPONSES`.
    replays : sequence of float
        Replay ratios of the CPT runs.
    cpt_schedules : sequence of str
        Schedules of the runs: ``constant``, ``wsd``, ``cosine``, ``linear``.
    pt_steps, cpt_steps : int
        Number of updates per run in each phase.
    peak_lr : float
        Peak LR of both phases.
    memory : float
        1 / (1 - lambda), steps.
    eval_every, pt_eval_every : int, optional
        Steps between evaluations in CPT and in pre-training; by default 40 and 50 evaluations per
        run.
    sigma : float
        Standard deviation of the independent noise of each point, nats.
    discrepancy_sd : float
        Standard deviation of a discrepancy that drifts along each curve from 0, nats.
    discrepancy_length : float
        Correlation length of the discrepancy, as a fraction of the run.
    run_effects : mapping of str to float, optional
        Standard deviation of the run-to-run differences by term (level, shift, anneal, drift),
        nats.
    outlier_share : float
        Share of points that are outliers.
    outlier_sd : float
        Additional standard deviation of outliers, nats.
    shared_trunks : bool
        If True, runs whose schedules start like the constant one branch off it and share its rows.
    warmup : {"true", "peak"}
        Convention for warm-up in the areas, as on a card.
    name : str
        Name of the study.

    Returns
    -------
    Simulation
        The study and its truth.

    Raises
    ------
    PlanError
        If a schedule, effect or response is unknown.
    """
    if replay not in RESPONSES:
        raise PlanError(f"replay is {replay!r}; it must be one of {', '.join(RESPONSES)}")
    design = _design(
        continual, replays, cpt_schedules, pt_steps, cpt_steps, peak_lr,
        eval_every or max(cpt_steps // 40, 1), pt_eval_every or max(pt_steps // 50, 1),
        shared_trunks, name,
    )  # fmt: skip
    rng = np.random.default_rng(random_seed)
    effects = dict(run_effects or {})
    card = _card(replay if continual else "none", continual, warmup, effects)
    rows = make_rows(design, card)
    replay_response = RESPONSES[replay] if response is None else response
    truth = _truth(design, fits, replay_response if continual else {}, memory, rows.refs, card.law)
    truth = truth.assign(_noise_truth(design, rows, sigma, effects, rng))
    if continual:
        truth = truth.assign(start_level=_start_level(design, card, rows, truth))
    expected = _expected(design, card, rows, truth)
    noise = SimulatedNoise(sigma, discrepancy_sd, discrepancy_length, outlier_share, outlier_sd)
    study = _observed(design, expected, noise, rng)
    return Simulation(study, truth, expected, card)


def _card(replay: str, continual: bool, warmup: str, effects: Mapping[str, float]) -> Card:
    """Card of the simulated law, with all pre-training rows."""
    known = effect_names()
    for term in effects:
        if term not in known:
            raise PlanError(f"no run effect on {term!r}; choose from {', '.join(known)}")
    return parse_card(
        f"""
        name = "simulated"
        description = "Law of a simulated study."
        warmup = "{warmup}"
        [law]
        base = "power"
        annealing = "momentum"
        shift = "{"power" if continual else "none"}"
        replay = "{replay}"
        [rows]
        pretraining = "all"
        [noise]
        family = "normal"
        run_effects = {list(effects)}
        """,
        "simulate_study",
    )


def _schedule(kind: str, lr: float, steps: int, warmup: int) -> Schedule:
    constructors: dict[str, Callable[[], Schedule]] = {
        "constant": lambda: schedules.constant_with_warmup(lr, steps, warmup),
        "wsd": lambda: schedules.wsd(lr, steps, warmup, steps // 5),
        "cosine": lambda: schedules.cosine(lr, steps, warmup, min_lr_ratio=0.1),
        "linear": lambda: schedules.linear(lr, steps, warmup),
    }
    if kind not in constructors:
        known = ", ".join(constructors)
        raise PlanError(f"no schedule {kind!r} to simulate; choose from {known}")
    return constructors[kind]()


def _design(
    continual: bool,
    replays: Sequence[float],
    kinds: Sequence[str],
    pt_steps: int,
    cpt_steps: int,
    peak_lr: float,
    eval_every: int,
    pt_eval_every: int,
    shared_trunks: bool,
    name: str,
) -> Study:
    """Runs and evaluation steps, with placeholder losses."""
    pt_warmup, cpt_warmup = pt_steps // 40, cpt_steps // 50
    runs: list[dict[str, Any]] = []
    lrs: dict[str, Schedule] = {}
    domains = (GENERAL, TARGET) if continual else (GENERAL,)
    # Trunks first, so that their noise is drawn before that of the branches.
    order = sorted(kinds, key=lambda kind: kind != "constant")
    if continual:
        lrs["pt"] = _schedule("wsd", peak_lr, pt_steps, pt_warmup)
        runs.append({"run": "pt", "phase": "pt"})
        for ratio in replays:
            for kind in order:
                run = f"r{100 * ratio:g}_{kind}"
                lrs[run] = _schedule(kind, peak_lr, cpt_steps, cpt_warmup)
                row = {"parent": "pt", "domain": TARGET, "replay_ratio": ratio}
                runs.append({"run": run, "phase": "cpt", **row})
    else:
        for kind in order:
            lrs[kind] = _schedule(kind, peak_lr, pt_steps, pt_warmup)
            runs.append({"run": kind, "phase": "pt"})
    for seed, row in enumerate(runs):
        row |= {"seed": seed, "n_params": 106e6, "tokens_per_step": 4e6}
        run = str(row["run"])
        trunk = run.replace("wsd", "constant")
        if shared_trunks and trunk != run and trunk in lrs:
            last = np.flatnonzero(lrs[trunk].lr != lrs[run].lr)[0]
            row |= {"branch_of": trunk, "branch_step": int(last)}
    curves = []
    for row in runs:
        run, is_cpt = str(row["run"]), row["phase"] == "cpt"
        end = lrs[run].n_steps
        steps = np.union1d(np.arange(0, end, eval_every if is_cpt else pt_eval_every), [end])
        if not is_cpt:
            steps = steps[steps > pt_warmup]
        curves += [
            pd.DataFrame({"run": run, "step": steps, "domain": domain, "loss": 1.0})
            for domain in domains
        ]
    table = pd.DataFrame(runs)
    for column in ("parent", "domain", "replay_ratio", "branch_of", "branch_step"):
        if column not in table:
            table[column] = np.nan
    note = "simulated from published coefficients of arXiv 2505.07796"
    return Study.from_frames(pd.concat(curves), table, lrs, name=name, general=GENERAL, notes=note)


def _truth(
    design: Study,
    fits: tuple[str, str],
    response: Mapping[str, tuple[float, float]],
    memory: float,
    refs: References,
    law: Law,
) -> xr.Dataset:
    """True parameters of the law, as symbols of the paper and on the reference scale."""
    domains = list(design.domains)
    rows = published_fits().loc[list(fits)[: len(domains)]]
    columns = {"L0": "L0", "A": "A", "alpha_s1": "alpha", "C1": "C1_pt"}
    dims = dict.fromkeys(columns, "domain")
    if design.cpt_runs:
        columns |= {"C2": "C2_cpt", "B": "B_signed", "E": "E", "beta": "beta"}
        dims |= {"C2": "domain", "B": "pair", "E": "pair", "beta": "pair"}
    labels = {"domain": domains, "pair": [f"{domain}|{TARGET}" for domain in domains]}
    raw = {symbol: rows[column].to_numpy(np.float64) for symbol, column in columns.items()}
    raw |= {key: np.asarray(value, dtype=np.float64) for key, value in response.items()}
    known = law.dims
    dims |= {key: known[key][0] for key in response}
    raw["log_memory"] = np.asarray(np.log(memory))
    reference = law.to_reference(raw, refs)
    dims |= {key: known[key][0] for key in reference}
    used = {dims[key] for key in {**raw, **reference} if key in dims}
    values = {
        key: (dims[key], value) if key in dims else ((), value)
        for key, value in {**raw, **reference}.items()
    }
    values["lambda"] = ((), np.asarray(1.0 - 1.0 / memory))
    return xr.Dataset(values, coords={dim: labels[dim] for dim in sorted(used)})


def _noise_truth(
    design: Study,
    rows: Rows,
    sigma: float,
    effects: Mapping[str, float],
    rng: np.random.Generator,
) -> dict[str, xr.DataArray]:
    domains, curves = list(rows.labels.domain), list(rows.labels.curve_names)

    def same(value: float) -> xr.DataArray:
        return xr.DataArray(np.full(len(domains), value), {"domain": domains}, "domain")

    out = {key: same(sigma) for key in (("sigma", "sigma_pt") if design.cpt_runs else ("sigma",))}
    for term, tau in effects.items():
        effect = xr.DataArray(tau * rng.standard_normal(len(curves)), {"curve": curves}, "curve")
        for run in rows.labels.run:
            trunk = design.run(run).branch_of
            if trunk is not None:  # a branch continues from its trunk's weights
                ours, theirs = ([f"{name}|{d}" for d in domains] for name in (run, trunk))
                effect.loc[ours] = effect.sel(curve=theirs).to_numpy()
        out[f"effect_{term}"] = effect
    return out


def _posterior(truth: xr.Dataset, rows: Rows) -> xr.Dataset:
    """The truth as a noise-free posterior of one draw, with labels in the order of the rows."""
    order = {"domain": list(rows.labels.domain), "pair": list(rows.labels.pair_names)}
    noise_free = truth.assign(
        {key: 0.0 * truth[key] for key in truth if str(key).startswith("sigma")}
    )
    ordered = {dim: names for dim, names in order.items() if dim in noise_free.dims}
    return noise_free.sel(ordered).expand_dims(chain=[0], draw=[0])


def _start_level(design: Study, card: Card, rows: Rows, truth: xr.Dataset) -> xr.DataArray:
    """Loss of the law at the end of pre-training, shape (level,)."""
    draws = Draws(_posterior(truth, rows), card, design, rows)
    curves = forecast(draws, Plan.from_run(design.run("pt")), [design.run("pt").steps])
    end = curves.mu.to_numpy().reshape(len(rows.labels.domain))
    return xr.DataArray(end, {"level": list(rows.labels.level_names)}, "level")


def _expected(design: Study, card: Card, rows: Rows, truth: xr.Dataset) -> pd.DataFrame:
    """Curves with the effects of runs, without noise."""
    table = draw_curves(card, design, rows, _posterior(truth, rows), seed=0)
    mean = table["loss"].to_numpy(np.float64).copy()
    if design.cpt_runs:
        at_start = (table["step"] == 0).to_numpy()
        starts = [f"pt|{domain}" for domain in table.loc[at_start, "domain"]]
        mean[at_start] = truth["start_level"].sel(level=starts).to_numpy()
    return table[["run", "step", "domain"]].assign(mean=mean)


def _observed(
    design: Study,
    expected: pd.DataFrame,
    noise: SimulatedNoise,
    rng: np.random.Generator,
) -> Study:
    """Study with noisy losses, shared trunks and one measurement per checkpoint."""
    loss = expected["mean"].to_numpy(np.float64).copy()
    drifts: dict[tuple[str, str], tuple[Array, Array]] = {}
    indices = expected.groupby(["run", "domain"]).indices
    # In run order, so that parents and trunks come first.
    groups = {(run, d): indices[run, d] for run in design.runs["run"] for d in design.domains}
    for (name, domain), place in groups.items():
        run = design.run(name)
        steps = expected["step"].to_numpy(np.int64)[place]
        first, start = 0, 0.0
        if run.branch_of is not None:
            first = design.trunk_step(name)
            trunk_steps, trunk_drift = drifts[run.branch_of, domain]
            shared = trunk_steps <= first
            start = float(trunk_drift[shared][-1]) if shared.any() else 0.0
        own = place[steps > first]
        fraction = steps[steps > first] / run.steps
        at = np.concatenate([[first / run.steps], fraction])
        drift, total = noise.draw(at, start, rng)
        loss[own] += total[1:]
        drifts[name, domain] = (np.append(first, steps[steps > first]), drift)
        if run.phase == "cpt" and steps[0] == 0:
            # The checkpoint is measured once, at the end of its own curve.
            loss[place[0]] = loss[groups[str(run.parent), domain][-1]]
    curves = share_trunks(design, expected.drop(columns="mean").assign(loss=loss))
    return Study.from_frames(
        curves, design.runs, design.lrs, name=design.name, general=design.general,
        notes=design.notes,
    )  # fmt: skip
