"""Residuals of a fit by run, domain and part of the schedule, beside replicated ones."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayescpt.data.phases import schedule_phase
from bayescpt.forecast import Draws
from bayescpt.forecast.discrepancy.judge import Curve, fitted_curves
from bayescpt.forecast.discrepancy.spread import effect_spread
from bayescpt.forecast.noise import simulate_noise

Floats = NDArray[np.float64]

# Draws of the posterior that are replicated: enough for a standard deviation to within 5%.
N_REPLICATES = 200
# Rows of a part of the schedule from which its mean residual is judged.
FEWEST_ROWS = 3
# Second differences of a domain from which the jitter of its curves is judged.
FEWEST_DIFFERENCES = 8
# As in the discrepancy of runs, the first tenth belongs to the start.
START = 0.1
# In nats. The law is off by .003-.011 nats on real runs; where losses move less than this, that is
# no misfit of it.
SMALLEST_MOVE = 0.05
# Standard deviation of a normal variable over the median of its absolute value.
NORMAL_MAD = 1.4826


@dataclass(frozen=True)
class Residuals:
    """Residuals of a fit and what the posterior predictive distribution expects of them.

    Attributes
    ----------
    patterns : DataFrame
        One row per run, domain and part of the schedule (start, stable, decay) with enough rows:
        run, domain, phase, rows, mean (mean of observed - expected loss), expected_sd (its standard
        deviation over replicated runs), z (their ratio) and moved (what the losses move by there).
        Nats per token.
    noise : DataFrame
        One row per domain: domain, sd (standard deviation of the replicated noise after the start),
        jitter (that of the losses about their neighbours on the curve), replicated_jitter (the same
        of the replicated noise) and moved. Nats per token.
    """

    patterns: pd.DataFrame
    noise: pd.DataFrame


def residuals(draws: Draws) -> Residuals:
    """Compare the residuals of a fit with those of replicated runs.

    A replicated run has the noise and the effects of runs of the posterior. For a card of
    continual pre-training only such runs are compared: its pre-training rows have a noise of their
    own, so that a curve that the law does not describe has little weight.

    Parameters
    ----------
    draws : Draws
        Posterior with its study.

    Returns
    -------
    Residuals
    """
    few = _thinned(draws)
    rng = np.random.default_rng(0)
    parts = [part for c, one in enumerate(fitted_curves(few)) if (part := _part(few, c, one, rng))]
    moved = {d: _moved(parts, d) for d in dict.fromkeys(part.domain for part in parts)}
    patterns = [row for part in parts for row in _patterns(part, *moved[part.domain])]
    noise = [_noise(parts, domain, late) for domain, (_, late) in moved.items()]
    return Residuals(pd.DataFrame(patterns, columns=_PATTERNS), pd.DataFrame(noise, columns=_NOISE))


_PATTERNS = ["run", "domain", "phase", "rows", "mean", "expected_sd", "z", "moved"]
_NOISE = ["domain", "sd", "jitter", "replicated_jitter", "moved"]


@dataclass(frozen=True)
class _Part:
    """One curve: its rows, residuals and replicates."""

    run: str
    domain: str
    phase: NDArray[np.str_]
    steps: NDArray[np.int64]
    change: Floats  # of the loss since the start checkpoint where that is known, shape (n,)
    anchored: bool  # whether it is known
    residual: Floats  # shape (draws, n)
    noise: Floats  # replicated, shape (draws, n)
    effects: Floats  # replicated, shape (draws, n)

    @property
    def late(self) -> NDArray[np.bool_]:
        """Rows after the start."""
        return self.phase != "start"


def _thinned(draws: Draws) -> Draws:
    every = max(1, draws.size // N_REPLICATES)
    return replace(draws, posterior=draws.posterior.isel(draw=slice(None, None, every)))


def _part(draws: Draws, c: int, curve: Curve, rng: np.random.Generator) -> _Part | None:
    rows = draws.rows
    run, domain = draws.labels.curve[c]
    path = draws.observed[run]
    if draws.card.continual and not path.is_cpt:
        return None
    here = np.flatnonzero(np.asarray(rows.segment["curve"])[rows.row["segment"]] == c)
    steps, fraction = (np.asarray(rows.row[name])[here] for name in ("step", "fraction"))
    phase = schedule_phase(path.lr, steps)
    phase = np.where((fraction <= START) | (phase == "warm-up"), "start", phase)
    noise = simulate_noise(draws, path.is_cpt, fraction, rng)[curve.domain]
    effects = np.zeros_like(noise)
    if draws.card.run_effects and "discrepancy_near" in draws.posterior:
        spread = effect_spread(draws, path, domain, curve.distance)
        effects = (spread * rng.standard_normal(spread.shape)).T @ curve.columns
    start = draws.study.start_loss(run, domain)
    change = rows.loss[here] - (0.0 if start is None else start)
    return _Part(
        run, domain, phase, steps, change, start is not None, curve.residual, noise, effects
    )


def _moved(parts: list[_Part], domain: str) -> tuple[float, float]:
    """What the losses of a domain move by, during the start and after it."""
    own = [part for part in parts if part.domain == domain]
    late = np.concatenate([part.change[part.late] for part in own])
    after = max(SMALLEST_MOVE, float(late.std()) if late.size else 0.0)
    # The start moves from the checkpoint on.
    start = np.concatenate([part.change[~part.late & part.anchored] for part in own])
    return max(after, float(np.sqrt(np.mean(start**2))) if start.size else 0.0), after


def _patterns(part: _Part, at_start: float, after: float) -> list[tuple[object, ...]]:
    out: list[tuple[object, ...]] = []
    for phase in ("start", "stable", "decay"):
        here = part.phase == phase
        if here.sum() < FEWEST_ROWS:
            continue
        mean = part.residual[:, here].mean(axis=1)
        replicated = (part.noise + part.effects)[:, here].mean(axis=1)
        # The posterior's own uncertainty counts as well.
        expected = float(np.hypot(mean.std(), replicated.std()))
        moved = at_start if phase == "start" else after
        size = float(mean.mean())
        z = size / max(expected, 1e-12)
        out.append((part.run, part.domain, phase, int(here.sum()), size, expected, z, moved))
    return out


def _noise(parts: list[_Part], domain: str, moved: float) -> tuple[object, ...]:
    own = [part for part in parts if part.domain == domain and part.late.sum() > 2]
    observed = [_bends(p.steps[p.late], p.residual[:, p.late].mean(axis=0)[None]) for p in own]
    made = [_bends(p.steps[p.late], p.noise[:, p.late]) for p in own]
    if sum(one.size for one in observed) < FEWEST_DIFFERENCES:
        return (domain, np.nan, np.nan, np.nan, moved)
    late = np.concatenate([part.noise[:, part.late] for part in own], axis=1)
    sizes = [
        NORMAL_MAD * float(np.median(np.abs(np.concatenate(bends, axis=1))))
        for bends in (observed, made)
    ]
    return (domain, float(late.std()), *sizes, moved)


def _bends(steps: NDArray[np.int64], values: Floats) -> Floats:
    """Values less those between their neighbours, scaled to the sd of independent noise."""
    x = steps.astype(float)
    left = (x[2:] - x[1:-1]) / (x[2:] - x[:-2])
    between = left * values[:, :-2] + (1.0 - left) * values[:, 2:]
    return np.asarray((values[:, 1:-1] - between) / np.sqrt(1.0 + left**2 + (1.0 - left) ** 2))
