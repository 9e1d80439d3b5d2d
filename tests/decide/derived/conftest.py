"""A forecaster whose losses are formulas, so that derived quantities are known."""

from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest

from bayescpt.data import Schedule, schedules
from bayescpt.forecast.ranges import FittedRange

# Loss of an end as a function of the draws' parameters, the steps, peak LR and replay ratio.
Formula = Callable[..., np.ndarray]
START = {"general": 3.0, "german": 6.0}
POTENTIALS = {"r0": 0.0, "r05": 0.5, "r1": 1.0}


def base(potential: float) -> Schedule:
    """Pre-training at a peak LR of 1 that ends at some LR."""
    return schedules.from_array([0.5, 1.0, potential], "given")


class FormulaScreener:
    """Losses by formula; `noise` is the sd of what a log adds."""

    n_chains = 2

    def __init__(self, owner, extrapolate=False):
        self._owner = owner
        self.domains = ("general", "german")
        self.n_draws = owner.theta.size
        self.checkpoints = owner.starts
        self.ranges = {"cpt": owner.fitted}

    def place(self, plan):
        path = SimpleNamespace(
            start=plan.start, lr=plan.schedule.lr, n_steps=plan.schedule.n_steps, is_cpt=True,
            replay=np.full(1, plan.replay_ratio), phase="cpt", n_params=None, lr_unit=1.0,
        )  # fmt: skip
        return SimpleNamespace(plan=plan, outside=tuple(self._owner.fitted.outside(path)))

    def start_losses(self, placed, seed=0):
        return np.stack([np.full((2, self.n_draws), [[3.0], [6.0]]) for _ in placed])

    def evaluator(self, seed=0):
        def evaluate(placed, kind="loss"):
            out = np.empty((len(placed), 2, self.n_draws))
            for k, one in enumerate(placed):
                plan = one.plan
                about = {
                    "steps": plan.schedule.n_steps,
                    "lr": float(plan.schedule.lr.max()),
                    "replay": plan.replay_ratio,
                    "potential": POTENTIALS[plan.start],
                }
                for d, name in enumerate(self.domains):
                    out[k, d] = self._owner.formulas[name](self._owner.theta, **about)
                if kind == "loss":
                    rng = np.random.default_rng([seed, *plan.name.encode()])
                    out[k] += self._owner.noise * rng.standard_normal(out[k].shape)
            return out

        return evaluate


class FormulaFit:
    """Stands for a fit; `theta` is the only parameter."""

    failed_checks: tuple[str, ...] = ()

    def __init__(self, general, german, noise=0.0, starts=("r0",), peaks=(1e-3, 4e-3)):
        rng = np.random.default_rng(20261127)
        self.theta = rng.uniform(0.5, 1.5, 400)
        self.formulas = {"general": general, "german": german}
        self.noise, self.starts = noise, starts
        self.fitted = FittedRange(peaks, (500, 1000), (0.0, 0.8), starts)
        pilots = {
            f"pilot {peak:g} {start}": SimpleNamespace(
                schedule=schedules.wsd(peak, 1000, 20, 200), domain="german", parent=start
            )
            for peak in peaks
            for start in starts
        }
        bases = {name: SimpleNamespace(schedule=base(at)) for name, at in POTENTIALS.items()}
        runs = pilots | bases
        self.study = SimpleNamespace(
            name="made", general="general", targets=("german",), cpt_runs=tuple(pilots),
            pt_runs=tuple(bases), run=runs.__getitem__,
        )  # fmt: skip
        self.study = _Contains(self.study, runs)

    def forecast(self, *given, **options):
        raise NotImplementedError

    def screener(self, allow_failed=False, extrapolate=False):
        return FormulaScreener(self, extrapolate)


class _Contains:
    """A study with `in`."""

    def __init__(self, study, runs):
        self.__dict__.update(vars(study))
        self._runs = runs

    def __contains__(self, name):
        return name in self._runs


@pytest.fixture(scope="session")
def formula_fit() -> type[FormulaFit]:
    """Class of fits by formula."""
    return FormulaFit


@pytest.fixture(scope="session")
def settings() -> dict:
    """Settings of a space, all of one value."""
    return {
        "schedule": "wsd", "lr": 2e-3, "num_training_steps": 1000, "warmup_share": 0.02,
        "decay_share": 0.2, "replay_ratio": 0.4, "start": "r0",
    }  # fmt: skip
