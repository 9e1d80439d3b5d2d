"""Load a fit from its file; PyMC is not required."""

from __future__ import annotations

from pathlib import Path

from bayescpt.data import Study
from bayescpt.errors import FitError
from bayescpt.inference.checks import read_checks
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
        File written by `Fit.save`.

    Returns
    -------
    Fit
        The fit with the card and the reference points that it was sampled with, regardless of the
        defaults of this version.

    Raises
    ------
    FitError
        If there is no such file, it is not a fit, or its study or its checks were altered.

    Examples
    --------
    >>> import bayescpt as bc
    >>> fit = bc.load_fit("fit.nc")  # doctest: +SKIP
    >>> fit.summary()  # doctest: +SKIP
    """
    source = Path(path)
    text, posterior, stats = read_fit_file(source)
    try:
        checks = read_checks(text["checks"])
    except FitError as error:
        raise FitError(f"{source}: {error}; refit the study") from error
    study = Study.from_json(text["study"])
    if study.digest != text["study_digest"]:
        raise FitError(f"{source}: the stored study was changed after the fit; refit the study")
    card = Card.from_dict(text["card"], f"the card in {source}")
    refs = References(text["references"], card.warmup)
    fit = Fit(card, study, make_rows(study, card, refs), posterior, stats, int(text["seed"]))
    vars(fit)["convergence"] = [check for check in checks if check.name != "misfit"]
    stored = [check for check in checks if check.name == "misfit"]
    if stored:
        vars(fit)["misfit"] = stored[0]
    return fit
