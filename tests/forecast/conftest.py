"""Posteriors made by hand: draws from the priors, no sampler."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import xarray as xr

from bayescpt.data import Study
from bayescpt.forecast import Draws, Forecast
from bayescpt.inference.symbols import add_symbols
from bayescpt.model.card_file import parse_card
from bayescpt.model.rows import make_rows

MakeDraws = Callable[..., Draws]


@pytest.fixture(scope="session")
def reasons() -> Callable[[Forecast], list[str]]:
    """Function that gives the warnings of a forecast but those of wide bands, as priors have."""

    def told(made: Forecast) -> list[str]:
        return [text for text in made.warnings if "hardly tell" not in text]

    return told


@pytest.fixture(scope="session")
def without_noise() -> Callable[[Draws], Draws]:
    """Function that takes the noise of the losses out of draws."""

    def quiet(draws: Draws) -> Draws:
        posterior = draws.posterior.copy(deep=True)
        for name in ("sigma", "sigma_pt"):
            posterior[name][:] = 0.0
        return replace(draws, posterior=posterior)

    return quiet


@pytest.fixture(scope="session")
def make_draws(simulated_study) -> MakeDraws:
    """Function that draws a posterior of 2 chains from the priors of a card."""

    def make(
        noise: str = "",
        draws: int = 40,
        study: Study | None = None,
        rows: str = "",
        law: str = 'replay = "own_share"',
    ) -> Draws:
        card = parse_card(
            f'name = "test"\ndescription = "A card."\n[law]\nshift = "power"\n{law}\n'
            f'[rows]\npretraining = "all"\n{rows}\n[noise]\n{noise}'
        )
        used = simulated_study if study is None else study
        made = make_rows(used, card)
        rng = np.random.default_rng(7)
        groups = dict.fromkeys(card.law.effects[name][1].group for name in card.run_effects)
        coords = {"chain": range(2), "draw": range(draws)}
        coords |= {dim: list(names) for dim, names in made.labels.coords().items()}
        coords["curve"] = list(made.labels.curve_names)
        coords["discrepancy"] = [f"{g}|{d}" for g in groups for d in made.labels.domain]

        def drawn(dims: tuple[str, ...], draw: Callable[..., np.ndarray]) -> xr.DataArray:
            dims = ("chain", "draw", *dims)
            shape = tuple(len(coords[dim]) for dim in dims)
            return xr.DataArray(draw(shape), {dim: coords[dim] for dim in dims}, dims)

        values = {
            p.name: drawn(p.dims, partial(card.priors[p.name].draw, rng)) for p in card.parameters()
        }
        values["start_offset"] = drawn(("level",), rng.standard_normal)
        for term in card.run_effects:
            values[f"effect_{term}"] = drawn(("curve",), partial(rng.normal, 0.0, 0.02))
        if card.run_effects:
            for name in ("discrepancy_near", "discrepancy_far"):
                values[name] = np.abs(drawn(("discrepancy",), rng.standard_normal))
        posterior = add_symbols(xr.Dataset(values), made, card)
        # Draws of the priors alone would put some losses below 0, where a forecast keeps none.
        posterior["start_level"] = posterior["start_level"] + 20.0
        return Draws(posterior, card, used, made)

    return make


@pytest.fixture(scope="session")
def draws(make_draws) -> Draws:
    return make_draws()
