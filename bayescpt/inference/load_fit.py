"""Load a fit from its file; PyMC is not required."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import xarray as xr

from bayescpt.data import Study
from bayescpt.errors import BayescptError, FitError
from bayescpt.inference.checks import read_checks
from bayescpt.inference.ensemble import load_ensemble
from bayescpt.inference.ensemble_file import stored_fits
from bayescpt.inference.final_fit import load_final
from bayescpt.inference.fit import Fit
from bayescpt.inference.fit_file import read_fit_file
from bayescpt.laws.points import References
from bayescpt.model.card import Card
from bayescpt.model.rows import make_rows


def load_fit(path: str | Path) -> Fit:
    """Load a fit from its file; PyMC is not required.

    Parameters
    ----------
    path : str or Path
        File written by `Fit.save` or `Ensemble.save`.

    Returns
    -------
    Fit
        The fit, or `Ensemble`, with the card and the reference points that it was sampled with,
        regardless of the defaults of this version.

    Raises
    ------
    FitError
        If there is no such file, it is not a fit, or it was damaged or changed; one line names the
        file.

    Examples
    --------
    >>> import bayescpt as bc
    >>> fit = bc.load_fit("fit.nc")  # doctest: +SKIP
    >>> fit.summary()  # doctest: +SKIP
    """
    source = Path(path)
    text, groups = read_fit_file(source)
    try:
        if "ensemble" in text["card"]:
            members = stored_fits(text, groups)
            fits = {label: _fit(own, draws, stats) for label, own, draws, stats in members}
            return load_ensemble(text, fits)
        return _fit(text, groups["posterior"], groups["sample_stats"])
    except BayescptError as error:
        raise FitError(f"{source}: {error}; refit the study") from error
    except Exception as error:  # values of the wrong type, in whatever they are first used for
        kind = type(error).__name__
        raise FitError(f"{source} is not a sound bayescpt fit: {kind}: {error}") from error


def _fit(text: dict[str, Any], posterior: xr.Dataset, stats: xr.Dataset) -> Fit:
    if "final" in text["card"]:
        return load_final(text, posterior, stats)
    checks = read_checks(text["checks"])
    study = Study.from_json(text["study"])
    if study.digest != text["study_digest"]:
        raise FitError("the stored study was changed after the fit")
    card = Card.from_dict(text["card"], "its card")
    _check_draws(card, posterior)
    refs = References(text["references"], card.warmup)
    fit = Fit(card, study, make_rows(study, card, refs), posterior, stats, int(text["seed"]))
    vars(fit)["convergence"] = [check for check in checks if check.name != "misfit"]
    stored = [check for check in checks if check.name == "misfit"]
    if stored:
        vars(fit)["misfit"] = stored[0]
    return fit


def _check_draws(card: Card, posterior: xr.Dataset) -> None:
    """Raise unless every parameter of the card has draws; older files have no digest."""
    for parameter in card.parameters():
        dims = ("chain", "draw", *parameter.dims)
        found = posterior[parameter.name].dims if parameter.name in posterior else None
        if found != dims:
            raise FitError(f"the draws of {parameter.name} are missing or damaged")
