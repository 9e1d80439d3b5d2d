"""Logs and what the user adds, assembled into the tables of a study."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayescpt.data.checks.plausible import lr_notes
from bayescpt.data.readers.assembled import (
    Assembled,
    Summary,
    lacks,
    missing_cells,
    missing_general,
    named_schedule,
)
from bayescpt.data.readers.carry import own_steps
from bayescpt.data.readers.find import read_log_files
from bayescpt.data.readers.infer import hinted_shapes
from bayescpt.data.readers.join import join_runs
from bayescpt.data.readers.lr import FoundLR, find_lr
from bayescpt.data.readers.record import LogRun, ReadOptions
from bayescpt.data.readers.run_table import (
    cells_of,
    check_names,
    merge_tables,
    read_run_table,
    with_user_settings,
)
from bayescpt.data.readers.sets import choose_general, guess_target
from bayescpt.data.readers.tidy import distinct_steps, spacing_of, tidy
from bayescpt.data.schedule import MAX_STEPS, Schedule
from bayescpt.data.study import Study
from bayescpt.errors import ScheduleError, StudyError

TRAIN_DOMAIN = "train"
OPEN_BASE = "base"
# Columns of runs.csv, in its order; others of the user's follow.
COLUMNS = (
    *("run", "phase", "parent", "domain", "replay_ratio", "steps", "n_params", "tokens_per_step"),
    *("seed", "schedule", "schedule_params", "planned_peak_lr"),
)


def assemble(
    paths: Iterable[str | os.PathLike[str]] | str | os.PathLike[str],
    runs: pd.DataFrame | str | os.PathLike[str] | None = None,
    columns: Mapping[str, str] | None = None,
    general: str | None = None,
    phase: str = "cpt",
    before: pd.DataFrame | str | os.PathLike[str] | None = None,
) -> Assembled:
    """Tables of a study from logs and what the user adds.

    Parameters
    ----------
    paths : path or iterable of path
        Log files and folders.
    runs : DataFrame or path, optional
        What logs cannot tell, by run: columns as in runs.csv.
    columns : mapping of str to str, optional
        Meaning of columns or keys, as in `ReadOptions`.
    general : str, optional
        The general set; "" for none.
    phase : {"cpt", "pt"}
        Phase of the runs of which the table does not say it.
    before : DataFrame or path, optional
        Table of runs of an earlier import: what the user has filled in since counts too.

    Returns
    -------
    Assembled

    Raises
    ------
    StudyError
        If a log or the table cannot be used, or they do not fit together.

    Examples
    --------
    See `read_logs`.
    """
    if phase not in ("cpt", "pt"):
        raise StudyError(f"phase {phase!r}: expected cpt or pt")
    given = [paths] if isinstance(paths, str | os.PathLike) else list(paths)
    said, earlier = read_run_table(runs), read_run_table(before)
    table = merge_tables(earlier, said)
    logs = with_user_settings(read_log_files(given, ReadOptions(dict(columns or {}))), table)
    joined = with_user_settings(join_runs([tidy(log) for log in logs]), table)
    found = own_steps(joined)
    check_names(said, [run.name for run in found])
    curves = [_curves(run) for run in found]
    domains = {
        run.name: tuple(dict.fromkeys(c["domain"])) for run, c in zip(found, curves, strict=True)
    }
    rows, lrs, summaries = [], {}, []
    for run in found:
        cells = cells_of(table, run.name)
        steps, lr, schedule = _learning_rates(run, cells, cells_of(earlier, run.name))
        row = _row(run, cells, steps, schedule, phase)
        if lr is not None and schedule is None:
            lrs[run.name] = lr
        rows.append(row)
        summaries.append(_summary(run, domains[run.name], steps, lr, schedule, row))
    frame = _runs_frame(rows, table, [run.name for run in found])
    all_curves = pd.concat(curves, ignore_index=True)
    if all_curves.empty:
        raise StudyError("no loss at all in these logs: neither an evaluation nor a training loss")
    targets = [d for d in frame["domain"] if isinstance(d, str)]
    chosen = choose_general(general, domains.values(), targets)
    frame["domain"] = [
        guess_target(domains[row["run"]], chosen)
        if row["phase"] == "cpt" and lacks(row, "domain")
        else row["domain"]
        for row in frame.to_dict("records")
    ]
    missing = missing_cells(frame, lrs, domains, found, chosen)
    if chosen is None and general is None:
        missing = [*missing_general(frame, domains), *missing]
    notes = _notes(frame, all_curves, summaries)
    return Assembled(frame, all_curves, lrs, chosen, missing, summaries, notes)


def read_logs(
    paths: Iterable[str | os.PathLike[str]] | str | os.PathLike[str],
    runs: pd.DataFrame | str | os.PathLike[str] | None = None,
    columns: Mapping[str, str] | None = None,
    general: str | None = None,
) -> Study:
    r"""Read training logs of any known kind into a study.

    Hugging Face, LLaMA-Factory, W&B, Megatron, TensorBoard, Lightning, nanoGPT and other logs are
    told by their content. Restarts are joined, repeated steps resolved, and the learning rate of
    every update is found from those that are logged.

    Parameters
    ----------
    paths : path or iterable of path
        Log files, and folders, which are searched with all folders in them.
    runs : DataFrame or path, optional
        What logs cannot tell, one row per run: column ``run``, and any column of ``runs.csv``.
        Runs of continual pre-training need ``replay_ratio``, and ``domain`` (the target) where
        there are several sets beside the general one. Rows with ``phase`` "pt" describe bases
        without a log; where no parent is named, the parent is ``base``, an open base whose
        pre-training is unknown.
    columns : mapping of str to str, optional
        Meaning of columns or keys with unusual names: ``"step"``, ``"lr"``, ``"run"``,
        ``"domain"``, ``"loss"``, ``"eval:NAME"``, ``"ppl:NAME"`` or ``"ignore"``.
    general : str, optional
        The general set; by default one called general, pretrain or the like, or the only set that
        is no target. "" for none.

    Returns
    -------
    Study
        The study; a log without any evaluation has its training loss on a set ``train``. What was
        handled on the way stands in its ``notes``.

    Raises
    ------
    StudyError
        If a log cannot be used, or something is missing that logs do not tell; the message names
        the runs and the column.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import pandas as pd
    >>> from bayescpt.data import read_logs
    >>> log = "step,lr,eval_general_loss,eval_medical_loss"
    >>> rows = [f"{s},{1e-4},{2 + 1e-4 * s},{3 - 2e-3 * s}" for s in range(0, 101, 10)]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "pilot.csv")
    ...     _ = path.write_text("\n".join([log, *rows]))
    ...     read_logs(path, runs=pd.DataFrame({"run": ["pilot"], "replay_ratio": [0.25]}))
    Study('study': 1 pt + 1 cpt runs, 2 domains, 22 losses)
    """
    return assemble(paths, runs, columns, general).study()


def _curves(run: LogRun) -> pd.DataFrame:
    evals = run.evals
    if evals.empty and len(run.train):
        run.notes.append(
            f"no evaluation in the log: its training loss is taken as set {TRAIN_DOMAIN!r}"
        )
        evals = run.train.assign(domain=TRAIN_DOMAIN)
    out = evals.sort_values(["step", "domain"], kind="stable").assign(run=run.name)
    columns = ["run", "step", "domain", "loss"]
    # Tokens become steps when the study is read, with the batch that runs.csv then has.
    return out[columns].rename(columns={"step": "tokens"} if run.steps_are == "tokens" else {})


def _learning_rates(
    run: LogRun, cells: Mapping[str, Any], earlier: Mapping[str, Any]
) -> tuple[int, NDArray[np.float64] | None, Schedule | None]:
    """Number of steps, learning rates and, where one fits or is given, the schedule."""
    logged = max(
        (int(t["step"].max()) for t in (run.evals, run.lr, run.train) if len(t)), default=0
    )
    offset = int(run.config.get("step_offset") or 0)
    planned = int(run.config.get("steps") or 0)
    if offset and "steps" not in cells:
        planned -= offset
    planned = max(planned, logged)
    if max(planned, logged) > MAX_STEPS and run.steps_are != "tokens":
        raise StudyError(
            f"run {run.name!r}: step {planned:,} is beyond {MAX_STEPS:,} optimiser updates: if the "
            "column counts tokens or samples or holds times, say which column is the step "
            "(--map)"
        )
    if isinstance(cells.get("schedule"), str):
        given = named_schedule(run.name, cells["schedule"], cells.get("schedule_params"))
        return given.n_steps, given.lr, given
    if run.steps_are == "tokens":
        return 0, None, None
    steps, rates = run.lr["step"].to_numpy(), run.lr["lr"].to_numpy()
    if offset:  # trainers' lengths count the earlier steps too
        hints = {k: v for k, v in run.config.items() if k not in ("decay_end",)}
    else:
        hints = run.config
    found = find_lr(steps, rates, planned, hints, run.lr_decimals, offset)
    if found.lr is None and isinstance(earlier.get("schedule"), str):
        given = named_schedule(run.name, earlier["schedule"], earlier.get("schedule_params"))
        return given.n_steps, given.lr, given
    if found.lr is None:
        found = _from_configuration(run, planned, found)
    run.notes.extend(found.notes)
    if found.lr is None:
        return planned, None, None
    if found.lr.size < logged:
        run.notes.append(
            f"learning rates end at step {found.lr.size}, before the last loss at step {logged}: "
            "the last is held"
        )
        found = FoundLR(np.append(found.lr, np.full(logged - found.lr.size, found.lr[-1])))
    assert found.lr is not None  # noqa: S101
    return found.lr.size, found.lr, found.schedule


def _from_configuration(run: LogRun, planned: int, found: FoundLR) -> FoundLR:
    """The schedule of the configuration, where the log has no learning rates."""
    if not run.config.get("peak_lr") or not run.config.get("steps"):
        return found
    for shape in hinted_shapes(run.config, planned, 0.0):
        try:
            schedule = shape.schedule(planned)
        except ScheduleError:
            continue
        note = "no learning rate in the log: the schedule of the configuration is taken"
        return FoundLR(schedule.lr, schedule, [*found.notes, note])
    return found


def _row(
    run: LogRun, cells: Mapping[str, Any], steps: int, schedule: Schedule | None, phase: str
) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(COLUMNS)
    row |= {"run": run.name, "phase": phase, "steps": steps or None}
    row |= {k: run.config[k] for k in ("n_params", "tokens_per_step", "seed") if k in run.config}
    if schedule is not None:
        row["schedule"] = schedule.name
        row["schedule_params"] = ";".join(f"{k}={v}" for k, v in schedule.params.items())
    row["planned_peak_lr"] = run.config.get("peak_lr")
    return row | {
        k: v for k, v in cells.items() if k not in ("steps", "step_offset", "accumulation")
    }


def _runs_frame(
    rows: list[dict[str, Any]], table: pd.DataFrame, found: Sequence[str]
) -> pd.DataFrame:
    """Table of runs, with bases in front."""
    bases = [
        dict.fromkeys(COLUMNS) | {"run": name} | cells_of(table, name)
        for name in table["run"]
        if name not in found and cells_of(table, name).get("phase") == "pt"
    ]
    orphans = [row for row in rows if row["phase"] == "cpt" and lacks(row, "parent")]
    others = [row["run"] for row in (*bases, *rows) if row["phase"] == "pt"]
    if orphans and len(others) <= 1:
        parent = others[0] if others else OPEN_BASE
        for row in orphans:
            row["parent"] = parent
    named = {row["parent"] for row in rows if not lacks(row, "parent")}
    known = {row["run"] for row in (*bases, *rows)}
    bases += [
        dict.fromkeys(COLUMNS) | {"run": name, "phase": "pt"} for name in sorted(named - known)
    ]
    frame = pd.DataFrame([*bases, *rows])
    for column in ("steps", "seed", "branch_step", "n_params", "tokens_per_step"):
        values = pd.to_numeric(frame.get(column, pd.Series(dtype="float64")), errors="coerce")
        if values.notna().any() and (values.dropna() % 1 == 0).all():
            frame[column] = values.astype("Int64")  # whole numbers stay so beside blanks
    return frame


def _summary(
    run: LogRun,
    domains: tuple[str, ...],
    steps: int,
    lr: NDArray[np.float64] | None,
    schedule: Schedule | None,
    row: Mapping[str, Any],
) -> Summary:
    observed = run.evals if len(run.evals) else run.train
    last = int(observed["step"].max()) if len(observed) else 0
    notes = list(dict.fromkeys(run.notes))
    spacing = spacing_of(distinct_steps(observed["step"].to_numpy()))
    in_flight = 0 < last < steps - max(2 * spacing, 1)
    if in_flight:
        notes.append(f"losses to step {last} of {steps} planned: taken as a run in flight")
    return Summary(
        run.name,
        run.kind,
        steps,
        last if in_flight else steps,
        None if lr is None else float(lr.max()),
        schedule.name if schedule is not None else "logged" if lr is not None else "",
        domains,
        spacing,
        tuple(notes),
    )


def _notes(frame: pd.DataFrame, curves: pd.DataFrame, summaries: Sequence[Summary]) -> list[str]:
    peaks = {s.run: s.peak for s in summaries if s.peak is not None}
    notes = lr_notes(frame, peaks)
    counts = curves[[c for c in ("step", "tokens") if c in curves]]
    from_zero = set(curves.loc[(counts == 0).any(axis="columns"), "run"])
    without = [s.run for s in summaries if s.run not in from_zero]
    if without:
        notes.append(
            f"no evaluation at step 0 in {len(without)} of {len(summaries)} runs: the level of "
            "their start checkpoint is inferred"
        )
    return notes
