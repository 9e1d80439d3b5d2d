"""Simulated studies of four pilots from an open base, and how their forecasts come out.

uv run python -m tests.inference.open_studies [STUDIES]     # a line a study, then their coverage
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

import bayescpt as bc
from bayescpt.data.areas import annealing_area, forward_area

Array = NDArray[np.float64]

PEAK = 2e-4
PLAN_STEPS = 20_000
DOMAINS = ("general", "medical")


class OpenStudy(NamedTuple):
    """A study, plans of 20,000 steps, and their losses at the end, shape (plans, domains)."""

    study: bc.Study
    plans: list[bc.Plan]
    ends: Array


def open_study(seed: int) -> OpenStudy:
    """Simulate Eq. 4 of arXiv 2505.07796 with a replay response, and errors of runs and losses.

    The base is never described. In every third study the pilots differ in the peak alone.
    """
    rng = np.random.default_rng(seed)
    by_peak = seed % 3 == 2
    base_area = PEAK * 0.7 * np.exp(rng.uniform(np.log(2e4), np.log(5e5)))
    level = {domain: rng.uniform(1.8, 3.2) for domain in DOMAINS}
    truth = {domain: _truth(rng, domain) for domain in DOMAINS}
    steps = int(rng.choice([2000, 3000, 4000, 5000]))
    noise, error = rng.uniform(0.0015, 0.004), rng.uniform(0.0, 0.004)
    evaluations = int(rng.choice([10, 20, 40]))
    if by_peak:
        factors = [0.25, 0.5, 1.0, 1.5]
        replay, kinds = [float(rng.choice([0.1, 0.25, 0.3]))] * 4, ["wsd"] * 4
    else:
        factors = rng.choice([0.5, 1.0], 4).tolist()
        replay, kinds = [0.0, 0.1, 0.25, 0.5], rng.choice(["wsd", "cosine"], 4).tolist()
    peaks = [PEAK * factor for factor in factors]
    at = np.unique(np.linspace(0, steps, evaluations + 1).astype(int))
    at = at[at >= (0 if rng.random() < 0.5 else 1)]

    def _losses(domain: str, lr: Array, ratio: float, when: Any) -> Array:
        off = error * rng.standard_normal() + error * rng.standard_normal() * when / lr.size
        curve = level[domain] + _curve(truth[domain], lr, ratio, base_area, domain)[when]
        return np.asarray(curve + off * (when > 0) + noise * rng.standard_normal(when.shape))

    runs, rows, lrs = [], [], {}
    for index, (peak, ratio, kind) in enumerate(zip(peaks, replay, kinds, strict=True)):
        name = f"run{index}"
        lrs[name] = _schedule(kind, peak, steps)
        runs.append({"run": name, "phase": "cpt", "domain": "medical", "replay_ratio": ratio})
        for domain in DOMAINS:
            losses = _losses(domain, lrs[name].lr, ratio, at)
            rows.append(pd.DataFrame({"step": at, "loss": losses}).assign(run=name, domain=domain))
    study = bc.Study.from_frames(
        pd.concat(rows, ignore_index=True), pd.DataFrame(runs), lrs, name="open", general="general"
    )
    plans, ends = [], []
    for ratio in sorted({min(replay), float(np.median(replay)), max(replay)}):
        for kind in ("wsd", "cosine"):
            schedule = _schedule(kind, float(np.median(peaks)), PLAN_STEPS)
            plans.append(bc.Plan(f"{kind}{ratio:g}", schedule, ratio, start="base"))
            last = np.array(PLAN_STEPS)
            ends.append([float(_losses(d, schedule.lr, ratio, last)) for d in DOMAINS])
    return OpenStudy(study, plans, np.array(ends))


def _truth(rng: np.random.Generator, domain: str) -> dict[str, float]:
    """Coefficients in the range of the published fits."""
    general = domain == "general"
    return {
        "A": rng.uniform(0.41, 0.57),
        "alpha": rng.uniform(0.45, 0.65),
        "C": rng.uniform(0.26, 0.44),
        "B": rng.uniform(0.3, 1.2) if general else -rng.uniform(0.4, 1.2),
        "E": np.exp(rng.uniform(np.log(12), np.log(600))),
        "beta": rng.uniform(0.1, 0.6),
        "gamma": rng.uniform(0.3, 0.7),
        "eps": rng.uniform(0.02, 0.05),
        "kappa": rng.uniform(0.8, 1.2),
    }


def _curve(p: dict[str, float], lr: Array, ratio: float, base_area: float, domain: str) -> Array:
    """Change of the loss since the start."""
    area, anneal = forward_area(lr), annealing_area(lr, 0.999, 0.0)
    if domain == "general":
        size, speed = p["B"] / (1.0 + ratio / p["eps"]) ** p["gamma"], p["E"]
    else:
        size, speed = p["B"], p["E"] * (1.0 - ratio) ** p["kappa"]
    shift = size * (1.0 - (1.0 + speed * area) ** -p["beta"])
    base = p["A"] * ((base_area + area) ** -p["alpha"] - base_area ** -p["alpha"])
    return np.asarray(base - p["C"] * anneal + shift)


def _schedule(kind: str, peak: float, steps: int) -> bc.Schedule:
    warmup = steps // 50
    if kind == "wsd":
        return bc.schedules.wsd(peak, steps, warmup, steps // 5)
    return bc.schedules.cosine(peak, steps, warmup, min_lr_ratio=0.1)


class Outcome(NamedTuple):
    """How the forecasts of one study came out."""

    failed: list[str]  # checks
    seconds: float  # of the fit
    inside: Array  # ends inside the 90% bands, shape (plans, domains)
    width: Array
    inside_mu: Array  # the same of the law alone, without discrepancy and noise


def outcome(seed: int) -> Outcome:
    """Fit one study at default settings, with the default card, and forecast its plans."""
    study, plans, ends = open_study(seed)
    begun = time.perf_counter()
    fit = bc.fit(study, progress=False)
    seconds = time.perf_counter() - begun
    forecast = fit.forecast(plans, steps=[PLAN_STEPS], allow_failed=True)
    bands = [
        values.isel(step=-1).quantile([0.05, 0.95], ["chain", "draw"]).transpose(..., "domain")
        for values in (forecast.loss, forecast.mu)
    ]
    (low, high), (low_mu, high_mu) = (band.sel(domain=list(DOMAINS)).to_numpy() for band in bands)
    return Outcome(
        list(fit.failed_checks),
        seconds,
        (low <= ends) & (ends <= high),
        high - low,
        (low_mu <= ends) & (ends <= high_mu),
    )


def outcomes(seeds: range) -> Iterator[tuple[int, Outcome]]:
    """Outcomes by seed."""
    for seed in seeds:
        yield seed, outcome(seed)


def main() -> None:
    found = []
    for seed, one in outcomes(range(int(sys.argv[1]) if len(sys.argv) > 1 else 20)):
        found.append(one)
        failed = f", failed: {', '.join(one.failed)}" if one.failed else ""
        print(
            f"{seed:2d}: {one.seconds:5.1f} s, {one.inside.mean():.2f} inside, "
            f"width {one.width.mean():.2f} nats{failed}",
            flush=True,
        )
    inside = np.concatenate([one.inside.ravel() for one in found])
    law = np.concatenate([one.inside_mu.ravel() for one in found])
    seconds = [one.seconds for one in found]
    print(
        f"{len(found)} studies, {inside.size} ends: {inside.mean():.3f} inside 90% bands (of the "
        f"law alone: {law.mean():.3f}); fits {np.median(seconds):.0f} s, at most "
        f"{max(seconds):.0f} s; {sum(bool(one.failed) for one in found)} failed their checks"
    )


if __name__ == "__main__":
    main()
