"""Effects of runs: what the law gets wrong for a whole run, in fitted runs and in new ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayescpt.forecast.posterior import Draws
from bayescpt.laws.features import EFFECTS, Features, Path, features

Array = NDArray[np.float64]

# A term that is large can be wrong by more: on the small real study, where the two units meet, the
# noise is a twentieth of the annealing drop.
ANNEAL_SHARE = 0.05
# So it is with the rest of the curve, where the noise is small: a share of the base term in
# pre-training, of the shift in CPT. Judged by leaving out each of the three training runs of two
# real studies: interval score .026 and .025 (25M, 100M), against .028 and .032 without a share,
# .033 and .028 with twice as much. The noise of the small CPT study hides what this is there: 1% is
# too much (90% bands hold 97%), .25% widens its bands by a fiftieth.
COURSE_SHARE = {"pt": 0.01, "cpt": 0.0025}
# Terms whose effect a branch has from its trunk, as it carries on with the trunk's weights.
INHERITED = ("level", "drift")
# Terms whose effect grows along a run.
GROWING = ("shift", "anneal", "drift")


@dataclass(frozen=True)
class RunEffects:
    """Effects of a run on a domain.

    Attributes
    ----------
    whole : dict of ndarray, shape (draws, 1)
        By term, nats: what goes with a row of `Features.misfit`.
    later : dict of ndarray, shape (draws, 1)
        By term, nats: what goes with how far the row of `Features.misfit` is from where it stood at
        the last step that was fitted.
    since : int
        That step.
    stood : ndarray, shape (4,)
        The rows of `Features.misfit` at that step.
    """

    whole: dict[str, Array]
    later: dict[str, Array]
    since: int
    stood: Array

    def misfit(self, seen: Features) -> Any:
        """What the effects do to the curve.

        Parameters
        ----------
        seen : Features
            What the law sees of the run at n steps.

        Returns
        -------
        array, shape (draws, n), or 0
            Nats.
        """
        found: Any = 0
        for name, size in self.whole.items():
            found = found + size * seen.misfit[EFFECTS.index(name)]
        for name, size in self.later.items():
            k = EFFECTS.index(name)
            found = found + size * np.where(
                seen.steps > self.since, seen.misfit[k] - self.stood[k], 0.0
            )
        return found


def run_effects(draws: Draws, path: Path, d: int, rng: np.random.Generator) -> RunEffects:
    """Effects of a run: its own if it was fitted, its trunk's for a branch, else new ones.

    The spread of a new one is that of errors of held-out runs, wider where the recipe is unlike
    every fitted run's; see `bayescpt.inference.misfit`. Past its last fitted loss a run goes astray
    anew, as far as a new run would from there: what the law gets wrong grows along a run.

    Parameters
    ----------
    draws : Draws
        Posterior.
    path : Path
        The trajectory.
    d : int
        Index of the evaluated domain.
    rng : numpy.random.Generator
        For new effects.

    Returns
    -------
    RunEffects
    """
    whole: dict[str, Array] = {}
    later: dict[str, Array] = {}
    since = path.n_steps
    novel: float | None = None
    for name in draws.card.run_effects:
        fitted, last = _fitted(draws, path, draws.labels.domain[d], name)
        if fitted is not None and f"effect_{name}" in draws.posterior:
            whole[name] = draws.value(f"effect_{name}", fitted)[:, None]
            since = last
            if last >= path.n_steps or name not in GROWING:
                continue
        if "misfit_near" in draws.posterior:
            novel = draws.novelty(path) if novel is None else novel
            spread = effect_ratio(draws, name, novel, d) * effect_unit(draws, name, path, d)
            new = (spread * rng.standard_normal(draws.size))[:, None]
            (later if name in whole else whole)[name] = new
    stood = np.zeros(len(EFFECTS))
    if later:
        stood = features(path, np.array([since]), draws.rows.refs).misfit[:, 0]
    return RunEffects(whole, later, since, stood)


def _fitted(draws: Draws, path: Path, domain: str, effect: str) -> tuple[int | None, int]:
    """Fitted curve whose effect a run has, and the last step up to which it was fitted."""
    curves = draws.labels.curve
    if (path.run, domain) in curves:
        c = curves.index((str(path.run), domain))
        return c, draws.last_step(c)
    trunk = (path.branch_of, domain)
    if path.branch_step and effect in INHERITED and trunk in curves:
        c = curves.index((str(path.branch_of), domain))
        return c, min(draws.last_step(c), path.branch_step)
    return None, path.n_steps


def effect_group(term: str) -> str:
    """Group of a term whose effects share the ratio of their size to their unit.

    Parameters
    ----------
    term : str
        Of `bayescpt.laws.features.EFFECTS`.

    Returns
    -------
    str
        ``anneal`` for itself: few pilots may anneal, and those that do not say nothing of it;
        ``course`` for the others.
    """
    return "anneal" if term == "anneal" else "course"


def effect_groups(terms: Sequence[str]) -> list[str]:
    """Groups of terms, in order.

    Parameters
    ----------
    terms : sequence of str
        The card's terms.

    Returns
    -------
    list of str
    """
    return list(dict.fromkeys(effect_group(term) for term in terms))


def effect_ratio(draws: Draws, name: str, novel: float, d: int) -> Array:
    """Standard deviation of an effect of a run that was not fitted, over its unit.

    Parameters
    ----------
    draws : Draws
        Posterior.
    name : str
        Term.
    novel : float
        From `Draws.novelty`.
    d : int
        Index of the evaluated domain.

    Returns
    -------
    ndarray, shape (draws,)
    """
    group = effect_groups(draws.card.run_effects).index(effect_group(name))
    k = group * len(draws.labels.domain) + d
    near, far = draws.value("misfit_near", k), draws.value("misfit_far", k)
    return np.hypot(near, far * novel)


def effect_unit(draws: Draws, name: str, path: Path, d: int) -> Array:
    """Size that an effect is measured by: a share of the law's term, and the noise beside it.

    Parameters
    ----------
    draws : Draws
        Posterior.
    name : str
        Term.
    path : Path
        The trajectory.
    d : int
        Index of the evaluated domain.

    Returns
    -------
    ndarray, shape (draws,)
        Nats.
    """
    is_cpt = path.phase == "cpt"
    if name == "anneal":
        return ANNEAL_SHARE * draws.value("anneal_ref" if is_cpt else "anneal_pt_ref", d)
    noise = draws.value("sigma_pt" if not is_cpt and draws.card.has_shift else "sigma", d)
    if is_cpt:
        size = draws.value("shift_ref", draws.pair(path, draws.labels.domain[d]))
    else:
        size = draws.value("base_ref", d)
    return np.hypot(noise, COURSE_SHARE[path.phase] * size)
