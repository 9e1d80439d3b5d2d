"""Real studies that come with the package; ``examples/README.md`` has sources and licences."""

from __future__ import annotations

from importlib.resources import as_file, files
from importlib.resources.abc import Traversable

import pandas as pd

from bayescpt.data.io import read_study
from bayescpt.data.study import Study
from bayescpt.errors import StudyError

_FOLDER = files("bayescpt.data").joinpath("examples")


def example_studies() -> tuple[str, ...]:
    """Names of the example studies.

    Returns
    -------
    tuple of str
        Names that `load_example` takes.

    Examples
    --------
    >>> from bayescpt.data import example_studies
    >>> example_studies()[:4]
    ('cpt_micro', 'mpl_100m', 'mpl_25m', 'fleet_changelog_100k')
    >>> len([name for name in example_studies() if name.startswith("fleet_")])
    24
    >>> len([name for name in example_studies() if name.startswith("variant_")])
    13
    """
    return tuple(_folders())


def _folders() -> dict[str, Traversable]:
    """Folders of the example studies by name, collection after collection."""
    found = (
        sorted((entry for entry in place.iterdir() if _is_study(entry)), key=lambda e: e.name)
        for place in (_FOLDER, *(_FOLDER.joinpath(name) for name in ("fleet", "variants", "final")))
    )
    return {entry.name: entry for entries in found for entry in entries}


def _is_study(entry: Traversable) -> bool:
    return entry.joinpath("study.toml").is_file()


def load_example(name: str) -> Study:
    """Load an example study.

    Parameters
    ----------
    name : str
        One of `example_studies`: ``cpt_micro`` (real continual pre-training of a small model from
        English to German), ``mpl_25m`` or ``mpl_100m`` (pre-training under nine schedules), or
        ``fleet_TARGET_SIZE``: continual pre-training of small models to one of six targets (code,
        german, spanish, russian, changelog, math) at four sizes (100k, 330k, 1200k, 4m). The column
        ``split`` of its runs says which are for fitting (``fit``), for choosing laws, noise and
        priors (``choose``), and for one look at the end (``test``); those of spanish, russian and
        4m are all ``test``. A study ``variant_NAME`` differs from those in what they hold fixed
        (``batch``, ``muon``, ``mixture``, ``code_16m`` and nine others) and is in one part of the
        split as a whole. ``ibrahim_405m_german`` holds published final losses.

    Returns
    -------
    Study
        The study, with losses in nats per token.

    Raises
    ------
    StudyError
        If there is no example study of that name.

    Examples
    --------
    >>> from bayescpt.data import load_example
    >>> load_example("cpt_micro")
    Study('cpt_micro': 4 pt + 13 cpt runs, 3 domains, 1,906 losses)

    How the runs of a study of the fleet are split:

    >>> study = load_example("fleet_code_330k")
    >>> split = study.runs.set_index("run")["split"]
    >>> split[list(study.cpt_runs)].value_counts().to_dict()
    {'fit': 18, 'choose': 6, 'test': 6}
    """
    folders = _folders()
    if name not in folders:
        raise StudyError(f"no example study {name!r}; there are {', '.join(folders)}")
    with as_file(folders[name]) as folder:
        return read_study(folder)


def published_fits() -> pd.DataFrame:
    """Fitted parameters from the figures of Wang et al. (arXiv 2505.07796, Eq. 4).

    Returns
    -------
    DataFrame
        One row per fit, indexed by id (such as ``f3_pt``): figure, model size, data, replay ratio,
        validation set, and L0, A, alpha, B_signed, E, beta, C1_pt and C2_cpt in the units of the
        paper (losses in nats per token, areas in learning rate x steps). The column ``note`` says
        which panel labels are uncertain.

    Examples
    --------
    >>> from bayescpt.data import published_fits
    >>> published_fits().loc["f3_pt", ["L0", "A", "alpha"]].tolist()
    [3.057, 0.49, 0.497]
    """
    with as_file(_FOLDER.joinpath("published_fits.csv")) as path:
        return pd.read_csv(path, index_col="id")
