"""Studies of final losses: runs known by size, tokens, mixture and last losses, not schedules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from bayescpt.data.checks.columns import to_numbers
from bayescpt.errors import StudyError

if TYPE_CHECKING:
    from bayescpt.data.study_data import StudyData

# Columns of runs that only final losses use, beside n_params, tokens and replay_ratio.
LR_COLUMNS = ("lr_factor", "peak_lr")
# A column `share_code` is the share of the source `code` in the tokens of a run.
SHARE = "share_"
# Largest difference of a sum of shares from 1: tables are rounded.
SHARE_TOLERANCE = 0.02


def complete_tables(
    curves: pd.DataFrame, runs: pd.DataFrame, lrs: Any, general: str | None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Fill in what tables of final losses may leave out; other tables stay as they are.

    Parameters
    ----------
    curves, runs : DataFrame
        Tables as passed to `Study.from_frames`.
    lrs : DataFrame, mapping or None
        Learning rates; with any, the tables stay as they are.
    general : str or None
        The general domain, if it was named.

    Returns
    -------
    curves, runs : DataFrame
        With ``step`` (the last one, 1 if unknown), ``phase`` (``cpt`` with a replay ratio, else
        ``pt``) and ``domain`` (the one set beside the general one).
    """
    if (lrs is not None and len(lrs)) or "run" not in runs or not _described(runs):
        return curves, runs
    if "phase" not in runs:
        ratio = runs.get("replay_ratio", pd.Series(pd.NA, index=runs.index))
        runs = runs.assign(phase=ratio.notna().map({True: "cpt", False: "pt"}))
    wanted = {"run", "domain"} <= set(curves.columns)
    if wanted and not {"step", "tokens"} & set(curves.columns):
        ends = pd.to_numeric(runs.get("steps", pd.Series(1.0, index=runs.index))).fillna(1.0)
        ends = ends.clip(lower=1.0)
        by_run = dict(zip(runs["run"].astype(str), ends, strict=True))
        curves = curves.assign(step=curves["run"].astype(str).map(by_run).fillna(1.0))
    if wanted and "domain" not in runs:
        sets = sorted(set(curves["domain"].dropna().astype(str)) - {general or "general"})
        if len(sets) == 1:
            runs = runs.assign(domain=(runs["phase"] == "cpt").map({True: sets[0], False: None}))
    return curves, runs


def are_final(curves: pd.DataFrame, runs: pd.DataFrame, lrs: Mapping[str, Any]) -> bool:
    """Whether tables are of final losses: no schedule, and one loss a run and set after step 0.

    Parameters
    ----------
    curves, runs : DataFrame
        Tables of a study.
    lrs : mapping
        Learning rates by run.

    Returns
    -------
    bool
    """
    if lrs or not _described(runs):
        return False
    ends = curves[curves["step"] > 0]
    return not ends.empty and not ends.duplicated(["run", "domain"]).any()


def is_final(study: StudyData) -> bool:
    """Whether a study is one of final losses, fitted by laws without schedules.

    Parameters
    ----------
    study : Study
        The study.

    Returns
    -------
    bool

    Examples
    --------
    >>> from bayescpt.data import load_example
    >>> from bayescpt.data.final_losses import is_final
    >>> is_final(load_example("ibrahim_405m_german")), is_final(load_example("mpl_25m"))
    (True, False)
    """
    return are_final(study.curves, study.runs, study.lrs)


def check_final(runs: pd.DataFrame) -> None:
    """Check the columns that only final losses use.

    Parameters
    ----------
    runs : DataFrame
        Table of runs.

    Raises
    ------
    StudyError
        If an LR is not above 0, or shares do not sum to 1.
    """
    for column in LR_COLUMNS:
        if column not in runs:
            continue
        values = to_numbers(runs[column], column, runs["run"], "runs")
        for name, value in zip(runs["run"], values, strict=True):
            if value <= 0:
                raise StudyError(f"runs: run {name!r}: {column} is {value:g}; expected above 0")
    sources = share_columns(runs)
    if not sources:
        return
    shares = pd.DataFrame({c: to_numbers(runs[c], c, runs["run"], "runs") for c in sources})
    for k, name in enumerate(runs["run"]):
        row = shares.iloc[k]
        if row.isna().all():
            continue
        bad = row[~((row >= 0) & (row <= 1))]
        if len(bad):
            raise StudyError(
                f"runs: run {name!r}: {bad.index[0]} is {bad.iloc[0]:g}; expected 0 to 1"
            )
        if abs(row.sum() - 1.0) > SHARE_TOLERANCE:
            raise StudyError(
                f"runs: run {name!r}: {', '.join(sources)} sum to {row.sum():g}; expected 1"
            )


def share_columns(runs: pd.DataFrame) -> list[str]:
    """Columns with the share of a source.

    Parameters
    ----------
    runs : DataFrame
        Table of runs.

    Returns
    -------
    list of str
        Such as ``share_code``, in the order of the table.
    """
    return [str(c) for c in runs.columns if str(c).startswith(SHARE) and len(str(c)) > len(SHARE)]


def final_columns(runs: pd.DataFrame) -> list[str]:
    """Extra columns of runs that a fit of final losses depends on.

    Parameters
    ----------
    runs : DataFrame
        Table of runs.

    Returns
    -------
    list of str
        Those of the LR, then those of shares.
    """
    return [*(c for c in LR_COLUMNS if c in runs), *share_columns(runs)]


def final_fields(row: Mapping[Any, Any], unknown: bool) -> dict[str, Any]:
    """Fields of a run that only final losses use.

    Parameters
    ----------
    row : mapping
        Row of the table of runs.
    unknown : bool
        Whether its schedule is unknown; else there are none.

    Returns
    -------
    dict
        ``lr_factor``, ``peak_lr`` and ``shares``, as far as the row has them.
    """
    if not unknown:
        return {}
    found: dict[str, Any] = {c: float(row[c]) for c in LR_COLUMNS if pd.notna(row.get(c))}
    shares = {
        str(c)[len(SHARE) :]: float(value)
        for c, value in row.items()
        if str(c).startswith(SHARE) and len(str(c)) > len(SHARE) and pd.notna(value)
    }
    return found | ({"shares": shares} if shares else {})


def _described(runs: pd.DataFrame) -> bool:
    """Whether runs have what a law of final losses can respond to."""
    described = [c for c in ("n_params", "tokens") if c in runs and runs[c].notna().any()]
    return bool(described or share_columns(runs)) and not (
        "schedule" in runs and runs["schedule"].notna().any()
    )
