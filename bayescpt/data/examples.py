"""Real studies shipped with the package; sources and licences are in ``examples/README.md``."""

from __future__ import annotations

from importlib.resources import as_file, files

import pandas as pd

from bayescpt.data.io import read_study
from bayescpt.data.study import Study
from bayescpt.errors import StudyError

_FOLDER = files("bayescpt.data").joinpath("examples")


def example_studies() -> tuple[str, ...]:
    """Names of the shipped studies.

    Returns
    -------
    tuple of str
        Names that `load_example` takes.
    """
    found = (entry for entry in _FOLDER.iterdir() if entry.joinpath("study.toml").is_file())
    return tuple(sorted(entry.name for entry in found))


def load_example(name: str) -> Study:
    """Load a shipped study.

    Parameters
    ----------
    name : str
        One of `example_studies`: ``cpt_micro`` (real continual pre-training of a small model,
        English to German), ``mpl_25m`` and ``mpl_100m`` (pre-training under nine schedules).

    Returns
    -------
    Study
        The study.

    Raises
    ------
    StudyError
        If there is none of that name.
    """
    if name not in example_studies():
        raise StudyError(f"no example study {name!r}; there are {', '.join(example_studies())}")
    with as_file(_FOLDER.joinpath(name)) as folder:
        return read_study(folder)


def published_fits() -> pd.DataFrame:
    """Parameter sets printed in the figures of Wang et al. (arXiv 2505.07796, Eq. 4).

    Returns
    -------
    DataFrame
        One row a fit, indexed by id (such as ``f3_pt``): figure, model size, data, replay ratio,
        validation set, and L0, A, alpha, B_signed, E, beta, C1_pt, C2_cpt with the paper's units
        (losses in nats, areas in learning rate x steps). The column note says which panel labels
        are uncertain.
    """
    with as_file(_FOLDER.joinpath("published_fits.csv")) as path:
        return pd.read_csv(path, index_col="id")
