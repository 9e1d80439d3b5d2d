"""Findings 1 to 4 of Wang et al. as credible statements on a study."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from bayescpt.decide.derived import balance, critical, turning
from bayescpt.decide.derived.critical import CriticalPoint
from bayescpt.decide.derived.ends import Ends
from bayescpt.decide.derived.family import Family, open_family, pilot_space
from bayescpt.decide.derived.potential import potential_of
from bayescpt.decide.derived.turning import TurningLength
from bayescpt.decide.forecaster import Forecaster
from bayescpt.decide.montecarlo import probability_mcse
from bayescpt.decide.space import Space
from bayescpt.forecast import Plan
from bayescpt.random_seed import takes_seed

COLUMNS = (
    "finding", "statement", "probability", "mcse", "in_runs", "median", "lower", "upper", "note",
)  # fmt: skip
WEIGHTS = (0.25, 0.5, 0.75)
# Settings that finding 3 is about, and their names in it.
SETTINGS = {"start": "loss potential", "lr": "peak LR", "replay_ratio": "replay ratio"}


@dataclass(frozen=True, eq=False)
class Findings:
    """Findings 1 to 4 on a study.

    Attributes
    ----------
    table : pandas.DataFrame
        One statement a row. ``finding`` (1 to 4), ``statement``, ``probability`` that it holds
        under the law, with its Monte Carlo error ``mcse`` (NaN where the study cannot tell);
        ``in_runs``, the probability that the logs of two new runs show it, with the errors of
        single runs (of comparisons of two recipes; NaN elsewhere); ``median``, ``lower`` and
        ``upper`` (90%) of the difference that it is about (nats/token; NaN where there is none);
        and ``note``: why the study cannot tell, or where the statement leaves the range of the
        pilots.
    turning : TurningLength
        What finding 4 comes from.
    critical : dict of str to CriticalPoint
        Critical points of the settings that vary, of ``replay_ratio`` and ``lr``.
    plan : Plan
        The recipe in the middle, around which one setting is moved at a time.
    recipe : str
        The same in words.
    notes : list of str
        What all statements have in common.
    """

    table: pd.DataFrame
    turning: TurningLength
    critical: dict[str, CriticalPoint]
    plan: Plan
    recipe: str
    notes: list[str]

    def _repr_html_(self) -> str:
        from bayescpt.data.html import html_block

        facts = {"recipe": self.recipe}
        return html_block("findings", facts, {"statements": self.table}, self.notes)


@takes_seed
def paper_findings(
    fit: Forecaster,
    space: Space | Mapping[str, Any] | None = None,
    general_weights: Sequence[float] = WEIGHTS,
    random_seed: int = 0,
    allow_failed: bool = False,
    extrapolate: bool = False,
) -> Findings:
    """Compute with which probability the findings of the CPT paper hold on a study.

    Findings of Wang et al. (arXiv 2505.07796): (1) a start checkpoint of higher loss potential
    gives a lower target loss; (2) a higher peak LR lowers the target loss and raises the general
    loss; (3) for each weight of the two losses there is an optimal loss potential, peak LR and
    replay ratio; (4) over the number of steps the general loss never rises above its start, rises
    and comes back, or does not come back. Each is a statement about the expected curve `mu`, judged
    draw by draw. The probabilities hold under the law, with what the pilots and priors leave open
    of its parameters: errors of single runs, and of the law itself, are not in them.

    Parameters
    ----------
    fit : Forecaster
        Fit of loss curves.
    space : Space or mapping of str to Any, optional
        Settings: ``start`` (a list), ``lr``, ``replay_ratio`` and ``num_training_steps``, which may
        vary. One is moved at a time, from end to end; the others are in the middle, lengths at
        that of the longest pilot, names at the first. By default the ranges that the pilots span,
        with lengths from a quarter of the shortest to ten times the longest.
    general_weights : sequence of float
        Weights of the general loss in finding 3, 0 to 1.
    random_seed : int
        Seed of levels of start checkpoints that were not fitted; also accepted as ``seed``.
    allow_failed : bool
        Go on even if a convergence check of the fit failed.
    extrapolate : bool
        Also take recipes absurdly far from the pilots.

    Returns
    -------
    Findings
        Statements with their probabilities.

    Raises
    ------
    ConvergenceError
        If a check of the fit failed and `allow_failed` is not set.
    PlanError
        If the fit has no continual pre-training run with a schedule, the study no general set, or
        the space is not valid.

    Examples
    --------
    >>> import bayescpt as bc
    >>> fit = bc.load_fit("fit.nc")  # doctest: +SKIP
    >>> found = bc.paper_findings(fit)  # doctest: +SKIP
    >>> found.table[["statement", "probability", "note"]]  # doctest: +SKIP
    """
    ends = Ends(fit, allow_failed, extrapolate, random_seed)
    family = open_family(ends, pilot_space(ends) if space is None else space)
    study = _Study(ends, family)
    if not family.varies("num_training_steps"):
        family = family.with_lengths()
    turned = turning.of_family(ends, family)
    points = {
        name: critical.of_family(ends, family, name)
        for name in critical.HIGHER_HELPS
        if family.varies(name)
    }
    rows = [
        *study.potential(),
        *study.peak(),
        *study.optima(general_weights),
        *study.patterns(turned),
    ]
    table = pd.DataFrame([dict(zip(COLUMNS, row, strict=True)) for row in rows])
    notes = [
        "statements are about the expected curve under the law, mu: errors of single runs are in "
        "no probability but in_runs, and whether the law itself holds is in none"
    ]
    (plan,) = family.plans([{}])
    return Findings(table, turned, points, plan, study.recipe, notes)


class _Study:
    """Statements about one family of recipes.

    Parameters
    ----------
    ends : Ends
        Opened fit.
    family : Family
        Recipes.
    """

    def __init__(self, ends: Ends, family: Family) -> None:
        self._ends, self._family = ends, family
        self._middle = family.middle()
        self._target = ends.target(self._middle.get("domain"))
        self._general = str(ends.screener.domains[ends.general])

    @property
    def recipe(self) -> str:
        """The recipe in the middle, in words."""
        shown = []
        for name, value in self._middle.items():
            text = f"{value:.3g}" if isinstance(value, float) else str(value)
            shown.append(text if name == "schedule" else f"{name} {text}")
        return ", ".join(shown)

    def potential(self) -> Iterator[tuple[Any, ...]]:
        """Finding 1."""
        said = f"higher loss potential: lower {self._target} loss"
        starts = self._family.values("start", 2) if self._family.axis("start") else []
        known = {str(start): potential_of(self._ends.study, str(start)) for start in starts}
        known = {start: value for start, value in known.items() if np.isfinite(value)}
        if len(set(known.values())) < 2:
            yield _untold(1, said, "all starts of known schedule have one loss potential")
            return
        low, high = min(known, key=known.__getitem__), max(known, key=known.__getitem__)
        said += f" ({high} {known[high]:.2g}, {low} {known[low]:.2g})"
        yield self._compared(1, said, {"start": low}, {"start": high}, self._target, -1.0)

    def peak(self) -> Iterator[tuple[Any, ...]]:
        """Finding 2."""
        wanted = (self._target, "lower", -1.0), (self._general, "higher", 1.0)
        for domain, word, sign in wanted:
            said = f"higher peak LR: {word} {domain} loss"
            if not self._family.varies("lr"):
                yield _untold(2, said, "all recipes have one peak LR")
                continue
            lrs = self._family.numbers("lr", 2)
            said += f" ({lrs[-1]:.2g}, {lrs[0]:.2g})"
            yield self._compared(2, said, {"lr": lrs[0]}, {"lr": lrs[-1]}, domain, sign)

    def optima(self, weights: Sequence[float]) -> Iterator[tuple[Any, ...]]:
        """Finding 3, a statement a setting and weight."""
        for name, word in SETTINGS.items():
            few = not self._family.varies(name)
            if name == "start":
                starts = self._family.values("start", 2) if self._family.axis("start") else []
                known = {potential_of(self._ends.study, str(start)) for start in starts}
                few = len(known) < 3 or not np.isfinite(list(known)).all()
            if few:
                said = f"an optimal {word} lies between the ends"
                why = "fewer than three loss potentials" if name == "start" else f"one {word}"
                yield _untold(3, said, why)
                continue
            found = balance.of_family(self._ends, self._family, weights, over=[name])
            for weight in weights:
                yield self._optimum(name, word, weight, found)

    def _optimum(
        self, name: str, word: str, weight: float, found: balance.BalancePoints
    ) -> tuple[Any, ...]:
        key = "loss_potential" if name == "start" else name
        row = found.table.xs(float(weight)).loc[key]
        said = f"general weight {weight:g}: an optimal {word} lies between the ends"
        if row["interior"] >= 0.5:
            note = f"optimum {row['median']:.3g}, 90% {row['lower']:.3g} to {row['upper']:.3g}"
        else:
            side = "highest" if row["at_high"] >= row["at_low"] else "lowest"
            note = f"the optimum is the {side}, {row['median']:.3g}"
        optima = found.optima[float(weight)][name]
        if name == "start":
            potential = {one: potential_of(self._ends.study, one) for one in optima.unique()}
            optima = optima.map(potential)
        known = [row["lowest"], row["highest"]]
        hits = self._ends.by_chain(~optima.isin(known).to_numpy())
        margin = self._ends.by_chain(optima.to_numpy(float))
        mcse = float(probability_mcse(hits, margin))
        return (3, said, row["interior"], mcse, *[np.nan] * 4, note)

    def patterns(self, turned: TurningLength) -> Iterator[tuple[Any, ...]]:
        """Finding 4."""
        back = np.isfinite(turned.values)
        known = f"{turned.show(turned.quantile(0.5))} steps" if back.mean() > 0.5 else ""
        low, high = (turned.show(end) for end in turned.interval(0.9))
        note = f"after {known}, 90% {low} to {high}" if known else ""
        far = turned.beyond_pilots
        if far > 0:
            note += f"{'; ' if note else ''}beyond the pilots' {turned.fitted:,} with {far:.2f}"
        horizon = f"{turned.high:,.0f}"
        for said, hits, text in (
            (f"the {self._general} loss never rises above its start", turned.values == -np.inf, ""),
            ("it rises and comes back", back, note),
            (f"it rises and is not back by {horizon} steps", turned.values == np.inf, ""),
        ):
            mcse = float(probability_mcse(hits, turned.margin))
            yield (4, said, float(hits.mean()), mcse, *[np.nan] * 4, text)

    def _compared(
        self,
        number: int,
        said: str,
        low: Mapping[str, Any],
        high: Mapping[str, Any],
        domain: str,
        sign: float,
    ) -> tuple[Any, ...]:
        """Statement on the sign of the difference between two recipes."""
        plans = self._family.plans([low, high])
        losses = self._ends.losses(plans)[:, self._ends.index(domain)]
        if np.isnan(losses).any():
            return _untold(number, said, f"no forecast on {domain}")
        difference = losses[1] - losses[0]
        by_chain = self._ends.by_chain(difference)
        hits = sign * by_chain > 0
        lower, median, upper = np.quantile(difference, [0.05, 0.5, 0.95])
        outside = dict.fromkeys(text for plan in plans for text in self._ends.outside(plan))
        mcse = float(probability_mcse(hits, by_chain))
        runs = self._ends.logged([replace(plans[0], name="low"), replace(plans[1], name="high")])
        shown = runs[:, self._ends.index(domain)]
        in_runs = float(np.mean(sign * (shown[1] - shown[0]) > 0))
        return (
            number, said, float(hits.mean()), mcse, in_runs, median, lower, upper,
            "; ".join(outside),
        )  # fmt: skip


def _untold(number: int, said: str, why: str) -> tuple[Any, ...]:
    """Statement that the study cannot tell of."""
    nothing = [np.nan] * 6
    return (number, said, *nothing, f"cannot tell: {why}")
