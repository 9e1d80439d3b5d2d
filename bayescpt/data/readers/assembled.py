"""Tables of a study made from logs, and what they still lack."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayescpt.data import schedules
from bayescpt.data.readers.record import LogRun
from bayescpt.data.schedule import Schedule
from bayescpt.data.study import Study
from bayescpt.errors import ScheduleError, StudyError

# Name of the general set among what is missing: it stands in study.toml, not in runs.csv.
GENERAL = "general"


@dataclass(frozen=True)
class Missing:
    """Cells of a column of runs.csv, or the general set, that only the user can fill in.

    Parameters
    ----------
    column : str
        The column, or `GENERAL`, which stands in study.toml.
    runs : tuple of str
        Its runs; none for the general set.
    why : str
        What belongs there.
    required : bool
        Whether a study is refused without it.
    """

    column: str
    runs: tuple[str, ...]
    why: str
    required: bool = True


@dataclass(frozen=True)
class Summary:
    """What was understood of one run.

    Parameters
    ----------
    run : str
        Its name.
    kind : str
        Reader of its log.
    steps : int
        Updates that it is to have.
    last : int
        Its last observed step, for a run in flight; else `steps`.
    peak : float or None
        Highest learning rate.
    schedule : str
        Family that was recognised, "logged" for a column that was kept, "" if unknown.
    domains : tuple of str
        Sets on which it was evaluated.
    spacing : float
        Usual distance between evaluations, steps.
    notes : tuple of str
        What was handled.
    """

    run: str
    kind: str
    steps: int
    last: int
    peak: float | None
    schedule: str
    domains: tuple[str, ...]
    spacing: float
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Assembled:
    """Tables of a study made from logs, which may still lack what only the user knows.

    Parameters
    ----------
    runs : DataFrame
        Table of runs, with blanks to be filled in.
    curves : DataFrame
        Table of losses.
    lrs : dict of str to ndarray, shape (steps,)
        Learning rates of the runs that have no schedule by name in `runs`.
    general : str or None
        The general set.
    missing : list of Missing
        What only the user can fill in.
    summaries : list of Summary
        What was understood of each run.
    notes : list of str
        About all runs.
    """

    runs: pd.DataFrame
    curves: pd.DataFrame
    lrs: dict[str, NDArray[np.float64]]
    general: str | None
    missing: list[Missing] = field(default_factory=list)
    summaries: list[Summary] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Whether nothing that a study needs is missing."""
        return not any(item.required for item in self.missing)

    def study(self, name: str = "study") -> Study:
        """The study.

        Parameters
        ----------
        name : str
            Its name.

        Returns
        -------
        Study

        Raises
        ------
        StudyError
            If something that it needs is missing; the message lists it.
        """
        for item in self.missing:
            if item.column == GENERAL:
                raise StudyError(f'general="" (none) or general=NAME is needed: {item.why}')
            if item.required:
                raise StudyError(
                    f"runs: {item.column} of run {', '.join(item.runs)} is in no log: give a table "
                    f"of runs with the columns run and {item.column}: {item.why}"
                )
        return self._study(name, self.runs)

    def preview(self) -> Study:
        """The study to draw: with placeholders where something is missing.

        Returns
        -------
        Study
            With the true curves and learning rates, for nothing but a figure.
        """
        runs = self.runs.copy()
        cpt = runs["phase"] == "cpt"
        first = str(self.curves["domain"].iloc[0])
        for column, value in (("replay_ratio", 0.0), ("domain", first)):
            runs[column] = runs[column].astype("object")
            runs.loc[cpt & runs[column].isna(), column] = value
        # Runs without learning rates cannot be cpt runs.
        bare = ~runs["run"].isin(list(self.lrs)) & runs["schedule"].isna()
        orphans = runs["parent"].isna() if "parent" in runs else cpt
        runs.loc[cpt & (bare | orphans), "phase"] = "pt"
        runs.loc[runs["phase"] == "pt", ["parent", "domain"]] = None
        runs["tokens_per_step"] = runs["tokens_per_step"].astype("Float64").fillna(1)
        return self._study("logs", runs, allow_mixed=("n_params", "tokens_per_step"))

    def _study(self, name: str, runs: pd.DataFrame, allow_mixed: tuple[str, ...] = ()) -> Study:
        lrs: dict[str, Any] = dict(self.lrs)
        for row in runs.to_dict("records"):
            if isinstance(row["schedule"], str):
                lrs[row["run"]] = named_schedule(
                    row["run"], row["schedule"], row["schedule_params"]
                )
        runs = runs.drop(columns=["schedule", "schedule_params"])
        return Study.from_frames(
            self.curves,
            runs,
            lrs,
            name=name,
            general=self.general or "",
            notes=self.text(),
            allow_mixed=allow_mixed,
        )

    def text(self) -> str:
        """All notes, one a line, each once with the runs that it is about."""
        told: dict[str, list[str]] = {}
        for summary in self.summaries:
            for note in summary.notes:
                told.setdefault(note, []).append(summary.run)
        everywhere = len(self.summaries)
        lines = [
            f"{'all runs' if len(names) == everywhere > 1 else ', '.join(names)}: {note}"
            for note, names in told.items()
        ]
        return "\n".join([*lines, *self.notes])


def named_schedule(run: str, name: str, params: Any) -> Schedule:
    """The schedule that runs.csv names.

    Parameters
    ----------
    run : str
        Name of the run, for messages.
    name : str
        Name of the constructor.
    params : str or None
        Its arguments, as ``key=value;key=value``.

    Returns
    -------
    Schedule

    Raises
    ------
    StudyError
        If there is no such schedule.
    """
    try:
        arguments = schedules.parse_params(params if isinstance(params, str) else "")
        return schedules.from_name(name, **arguments)
    except ScheduleError as error:
        raise StudyError(f"runs: run {run!r}: {error}") from error


def lacks(row: Mapping[Any, Any], column: str) -> bool:
    """Whether a cell is blank.

    Parameters
    ----------
    row : mapping
        Cells by column.
    column : str
        The column.

    Returns
    -------
    bool
    """
    value = row.get(column)
    return value is None or value == "" or value != value


def missing_general(frame: pd.DataFrame, domains: Mapping[str, tuple[str, ...]]) -> list[Missing]:
    """The general set, if runs of continual pre-training were evaluated on what may be it.

    Parameters
    ----------
    frame : DataFrame
        Table of runs.
    domains : mapping of str to tuple of str
        Sets by run.

    Returns
    -------
    list of Missing
        At most one.
    """
    rows = [row for row in frame.to_dict("records") if row["phase"] == "cpt"]
    targets = {row["domain"] for row in rows if not lacks(row, "domain")}
    sets = dict.fromkeys(name for row in rows for name in domains[row["run"]])
    candidates = [name for name in sets if name not in targets]
    if not candidates:
        return []
    why = f"the set that forgetting and replay are measured on, one of {', '.join(candidates)}"
    return [Missing(GENERAL, (), why)]


def missing_cells(
    frame: pd.DataFrame,
    lrs: Mapping[str, Any],
    domains: Mapping[str, tuple[str, ...]],
    found: Sequence[LogRun],
    general: str | None,
) -> list[Missing]:
    """What only the user can fill in.

    Parameters
    ----------
    frame : DataFrame
        Table of runs.
    lrs : mapping of str to object
        Runs with learning rates.
    domains : mapping of str to tuple of str
        Sets by run.
    found : sequence of LogRun
        Runs in the logs.
    general : str or None
        The general set, which is no target.

    Returns
    -------
    list of Missing
    """
    rows = frame.to_dict("records")
    cpt = [row for row in rows if row["phase"] == "cpt"]
    known = dict.fromkeys(d for names in domains.values() for d in names)
    sets = ", ".join([d for d in known if d != general] or known)
    asked = {
        "replay_ratio": "share of general tokens in the training mixture, 0 to 1 (0 for none)",
        "domain": f"the set that the run is trained for, one of {sets}",
        "parent": "the run that it starts from",
    }
    out = []
    for column, why in asked.items():
        names = tuple(str(row["run"]) for row in cpt if lacks(row, column))
        if names:
            out.append(Missing(column, names, why))
    bare = [r for r in found if r.name not in lrs]
    bare = [r for r in bare if lacks(next(row for row in rows if row["run"] == r.name), "schedule")]
    if bare:
        steps = {row["run"]: int(row["steps"]) for row in rows if not lacks(row, "steps")}
        why = (
            "no learning rate in the log: name its schedule and the arguments of its constructor, "
            "such as\nrun,schedule,schedule_params\n"
            f"{bare[0].name},cosine,lr=2e-4;num_training_steps={steps.get(bare[0].name, 8712)};"
            "num_warmup_steps=100"
        )
        needed = any(row["phase"] == "cpt" for row in rows if row["run"] in {r.name for r in bare})
        out.append(Missing("schedule", tuple(r.name for r in bare), why, needed))
    in_tokens = tuple(run.name for run in found if run.steps_are == "tokens")
    if in_tokens:
        why = "tokens per update, by which the steps of the log, which count tokens, are divided"
        out.append(Missing("tokens_per_step", in_tokens, why))
    for column, why in (
        ("n_params", "number of parameters of the model"),
        ("tokens_per_step", "tokens per update"),
    ):
        names = tuple(str(row["run"]) for row in cpt if lacks(row, column))
        names = tuple(name for name in names if column == "n_params" or name not in in_tokens)
        if names:
            out.append(Missing(column, names, why, required=False))
    return out
