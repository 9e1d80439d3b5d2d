"""Learn from the fleet how much the parameters of several targets of one base differ.

The studies of the fleet that are no test are fitted as `case_studies.learn_priors` fits them. Of
each parameter that `bayescpt.laws.terms.targets` pools, the mean over model sizes is what a target
has; its spread over the four targets, a quarter more for others, over the standard deviation of the
card's prior says how far targets are pooled. Shifts differ by a part of their mean, and are
regressed on the covariate of `bayescpt.model.population.target_covariates`.

    uv run python -m case_studies.learn_targets          # two minutes; prints priors as TOML
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from bayescpt.data import Study, load_example
from bayescpt.laws.terms.targets import BETWEEN, RELATIVE, TOLD
from bayescpt.model.card_file import load_card
from case_studies.learn_priors import BEYOND, SIZES, TARGETS, Population, learn

Array = NDArray[np.float64]

# Rounds of `learn`, from the priors that those studies taught.
STEPS = 3
# Targets that have nothing in common would have 1: a fleet of few cannot tell .9 from it.
MOST_APART = 0.9


def fleet(left_out: Sequence[str] = ()) -> list[Study]:
    """Studies of the fleet to learn from.

    Parameters
    ----------
    left_out : sequence of str
        Targets.

    Returns
    -------
    list of Study
        By target, then size.
    """
    kept = [target for target in TARGETS if target not in left_out]
    return [load_example(f"fleet_{target}_{size}") for target in kept for size in SIZES]


def excesses(studies: Sequence[Study]) -> Array:
    """Covariate of the target of each study, among those of its model size.

    Parameters
    ----------
    studies : sequence of Study
        From `fleet`.

    Returns
    -------
    ndarray, shape (targets,)
        The mean over sizes.
    """
    out = []
    for study in studies:
        starts = dict.fromkeys(study.run(name).parent for name in study.cpt_runs)
        both = [
            [study.checkpoint_loss(str(start), name) for name in (study.targets[0], study.general)]
            for start in starts
        ]
        out.append(np.mean([ours - general for ours, general in both]))
    excess = np.reshape(out, (-1, len(SIZES)))
    x = (excess - excess.mean(axis=0)) / np.sqrt((excess**2).mean(axis=0))
    return np.asarray(x.mean(axis=1))


def targets_priors(
    found: Population, studies: Sequence[Study], sigma: Mapping[str, float], covariate: bool = True
) -> dict[str, dict[str, object]]:
    """Priors of the populations of targets.

    Parameters
    ----------
    found : Population
        Of the studies.
    studies : sequence of Study
        From `fleet`.
    sigma : Mapping of str to float
        Standard deviations of the card's priors.
    covariate : bool
        Whether shifts are regressed on the covariate.

    Returns
    -------
    dict of str to dict
        As in ``[priors]`` of a card.
    """
    x = excesses(studies)
    out: dict[str, dict[str, object]] = {}

    def _add(name: str, dist: str, mu: float, spread: float) -> None:
        why = f"{x.size} targets of the fleet at {len(SIZES)} sizes: case_studies/learn_targets.py"
        mu, spread = (float(f"{value:.3g}") for value in (mu, spread))
        out[name] = {"dist": dist, "mu": mu, "sigma": spread, "reason": why}

    names = [entry.parameter.name for entry in found.entries]
    for name in dict.fromkeys(names):
        own = [k for k, one in enumerate(names) if one == name]
        by_target = found.by_study[:, own].reshape(x.size, len(SIZES), -1).mean(axis=1)
        middle, spread = by_target.mean(axis=0), by_target.std(axis=0, ddof=1)
        if name == RELATIVE:
            part = spread / middle
            if covariate:
                # General set and target share a prior.
                slope = x @ (by_target / middle - 1.0) / (x @ x)
                left = by_target / middle - 1.0 - x[:, None] * slope
                part = np.sqrt((left**2).sum(axis=0) / (x.size - 2))
                error = np.sqrt(slope.var() + _rms(part) ** 2 / (x @ x))
                _add(f"{name}_slope", "Normal", slope.mean(), BEYOND * error)
            _add(f"{name}_between", "LogNormal", np.log(BEYOND * _rms(part)), TOLD)
        elif name in BETWEEN:
            part = min(BEYOND * _rms(spread) / sigma[name], MOST_APART)
            _add(f"{name}_between", "LogNormal", np.log(part / np.sqrt(1.0 - part**2)), TOLD)
    return out


def _rms(values: Array) -> float:
    return float(np.sqrt(np.mean(np.square(values))))


def main(arguments: Sequence[str]) -> None:
    """Print the priors of the card ``cpt_targets``.

    Parameters
    ----------
    arguments : sequence of str
        Targets to leave out.
    """
    card, studies = load_card("cpt_fade"), fleet(arguments)
    found = learn(studies, card, steps=STEPS, own_priors=True)
    sigma = {name: prior.args.get("sigma", np.nan) for name, prior in card.priors.items()}
    print("[priors]")
    for name, prior in targets_priors(found, studies, sigma).items():
        inside = (f"{key} = {json.dumps(value)}" for key, value in prior.items())
        print(f"{name} = {{ {', '.join(inside)} }}")


if __name__ == "__main__":
    main(sys.argv[1:])
