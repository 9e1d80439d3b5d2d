"""A study on disk: a folder with study.toml and the tables runs, curves and lrs."""

from __future__ import annotations

import json
import os
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from bayescpt.data import schedules
from bayescpt.data.csv_file import read_csv
from bayescpt.data.curriculum import curriculum
from bayescpt.data.parquet_file import read_parquet
from bayescpt.data.schedules.arguments import check_count
from bayescpt.data.schedules.registry import schedule_arguments
from bayescpt.data.study import Study
from bayescpt.data.tables import TEXT_COLUMNS
from bayescpt.data.units import DEFAULT_UNIT, did_you_mean
from bayescpt.errors import ScheduleError, StudyError
from bayescpt.files import Write, write_new_folder
from bayescpt.toml_file import read_toml

TABLES = ("runs", "curves", "lrs")
TOML_KEYS = (
    *("name", "general", "loss_unit", "notes", "allow_mixed"),
    *("curves_unit", "bytes_per_token", "out_of_domain", "distances"),
)


def read_study(folder: str | os.PathLike[str]) -> Study:
    """Read a study from its folder.

    Parameters
    ----------
    folder : path
        Folder with ``study.toml``, ``runs.csv``, ``curves.csv`` and ``lrs.parquet``. Each table may
        be CSV or Parquet. ``study.toml`` has a table ``[study]`` with the optional keys ``name``,
        ``general``, ``loss_unit``, ``curves_unit``, ``bytes_per_token``, ``out_of_domain``,
        ``distances``, ``notes`` and ``allow_mixed``; they and the columns of the tables are the
        arguments of `Study.from_frames`. For a run that is not in lrs, the columns
        ``schedule`` (a constructor of `bayescpt.schedules`) and ``schedule_params``
        (``key=value;key=value``, with the argument names of the constructor; ``steps`` is the
        number of updates where ``num_training_steps`` is left out) of runs give the schedule. A
        ``replay_ratio`` that changes along a run may be written in runs as pieces,
        ``"[[0, 0.1], [5000, 0.5]]"``, see `bayescpt.curriculum`.

    Returns
    -------
    Study
        The study, validated.

    Raises
    ------
    StudyError
        If a file is missing or cannot be read, or the study has a defect; the message names the
        file or folder.

    Examples
    --------
    >>> import tempfile
    >>> from bayescpt.data import load_example, read_study, write_study
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = write_study(load_example("cpt_micro").select(["de_r0_wsd"]), f"{folder}/mine")
    ...     print(sorted(file.name for file in path.iterdir()))
    ...     print(read_study(path))
    ['curves.csv', 'lrs.parquet', 'runs.csv', 'study.toml']
    Study('cpt_micro': 2 pt + 1 cpt runs, 3 domains, 436 losses)
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise StudyError(f"{folder}: no such folder; a study is a folder with a study.toml")
    about = _read_toml(folder / "study.toml")
    runs, curves = _required_table(folder, "runs"), _required_table(folder, "curves")
    lrs = _read_table(folder, "lrs")
    try:
        lrs = _add_named_schedules(lrs, runs)
        return Study.from_frames(
            curves,
            *_expand_curricula(runs, lrs),
            name=str(about.get("name", folder.name)),
            general=about.get("general"),
            loss_unit=str(about.get("loss_unit", DEFAULT_UNIT)),
            notes=str(about.get("notes", "")),
            allow_mixed=about.get("allow_mixed", ()),
            curves_unit=None if (unit := about.get("curves_unit")) is None else str(unit),
            bytes_per_token=about.get("bytes_per_token"),
            out_of_domain=about.get("out_of_domain", ()),
            distances=about.get("distances"),
        )
    except StudyError as error:
        raise StudyError(_with_file(folder, str(error))) from error


def study_files(folder: str | os.PathLike[str]) -> list[Path]:
    """Files that are read of a study folder, whether they are there or not.

    Parameters
    ----------
    folder : path
        The folder.

    Returns
    -------
    list of Path

    Examples
    --------
    >>> [path.name for path in study_files("pilots")][:3]
    ['study.toml', 'runs.csv', 'runs.parquet']
    """
    tables = (f"{table}.{kind}" for table in TABLES for kind in ("csv", "parquet"))
    return [Path(folder) / name for name in ("study.toml", *tables)]


def _with_file(folder: Path, message: str) -> str:
    """A message about a table with the file that it is in."""
    table = message.partition(":")[0]
    for path in (folder / f"{table}.csv", folder / f"{table}.parquet"):
        if table in TABLES and path.exists():
            return f"study {folder}: {path.name}{message[len(table) :]}"
    return f"study {folder}: {message}"


def write_study(study: Study, folder: str | os.PathLike[str]) -> Path:
    """Write a study to a new folder; if writing fails, no folder is left behind.

    Parameters
    ----------
    study : Study
        The study.
    folder : path
        Folder to write; it must be empty or not exist yet.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    StudyError
        If the folder is not empty.
    WriteError
        If it cannot be written.

    Examples
    --------
    See `read_study`.
    """
    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise StudyError(f"{folder}: exists and is not empty; write the study somewhere else")
    writers: dict[str, Write] = {
        "study.toml": partial(Path.write_text, data=_study_toml(study), encoding="utf-8"),
        "runs.csv": partial(study.runs.to_csv, index=False),
        "curves.csv": partial(study.curves.to_csv, index=False),
    }
    if study.lrs:
        writers["lrs.parquet"] = partial(_lrs_frame(study).to_parquet, index=False, **COMPACT)
    return write_new_folder(folder, writers)


def _study_toml(study: Study) -> str:
    fields: dict[str, Any] = {
        "name": study.name,
        "general": study.general or "",
        "loss_unit": study.loss_unit,
        "notes": study.notes,
    }
    if study.allow_mixed:
        fields["allow_mixed"] = list(study.allow_mixed)
    # Not those that only runs had which are left out.
    if sets := [name for name in study.out_of_domain if name in study.domains]:
        fields["out_of_domain"] = sets
    if study.curves_unit != study.loss_unit:
        # Converted back, losses would not be the same to the last digit.
        fields["curves_unit"] = study.curves_unit
    # JSON strings and arrays of strings are valid TOML, except for a raw DEL character.
    lines = [f"{key} = {json.dumps(value)}" for key, value in fields.items()]
    tables = {"bytes_per_token": study.domains, "distances": study.targets}
    for table, kept in tables.items():
        values = {name: n for name, n in getattr(study, table).items() if name in kept}
        if values:
            lines.append(f"[study.{table}]")
            lines += [f"{json.dumps(name)} = {n!r}" for name, n in values.items()]
    return "\n".join(["[study]", *lines, ""]).replace("\x7f", "\\u007f")


# With the bytes of floats split, smooth schedules compress eight times better.
COMPACT: dict[str, Any] = {
    "compression": "zstd",
    "use_dictionary": ["run"],
    "write_page_checksum": True,
    "column_encoding": {"step": "DELTA_BINARY_PACKED", "lr": "BYTE_STREAM_SPLIT"},
}


def _lrs_frame(study: Study) -> pd.DataFrame:
    parts = []
    for run, lr in study.lrs.items():
        part = pd.DataFrame({"run": run, "step": range(1, lr.size + 1), "lr": lr})
        if study.replays:
            part["replay"] = study.replays.get(run, float("nan"))
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def _read_toml(path: Path) -> dict[str, Any]:
    content = read_toml(path, StudyError, "; a study is a folder with a study.toml")
    about = content.get("study", content)
    if isinstance(about, dict) and about is not content and "bytes_per_token" in content:
        about = {"bytes_per_token": content["bytes_per_token"], **about}
    general = about.get("general") if isinstance(about, dict) else None
    if not isinstance(about, dict) or not isinstance(general, str | None):
        raise StudyError(f"{path}: expected a table [study] with {', '.join(TOML_KEYS)}")
    unknown = [key for key in about if key not in TOML_KEYS]
    for key in unknown[:100]:  # each takes a tenth of a millisecond
        if hint := did_you_mean(key, TOML_KEYS):
            raise StudyError(
                f"{path}: unknown key {key!r}; {hint}known keys: {', '.join(TOML_KEYS)}"
            )
    allow_mixed = about.get("allow_mixed", [])
    if not isinstance(allow_mixed, list) or not all(isinstance(name, str) for name in allow_mixed):
        raise StudyError(
            f"{path}: allow_mixed is {allow_mixed!r}; expected a list of names, such as "
            '["n_params"]'
        )
    return about


def _required_table(folder: Path, table: str) -> pd.DataFrame:
    frame = _read_table(folder, table)
    if frame is None:
        present = ", ".join(sorted(path.name for path in folder.iterdir())) or "nothing"
        raise StudyError(f"{folder}: no {table}.csv or {table}.parquet; found: {present}")
    return frame


def _read_table(folder: Path, table: str) -> pd.DataFrame | None:
    paths = [path for kind in ("csv", "parquet") if (path := folder / f"{table}.{kind}").exists()]
    if not paths:
        return None
    if len(paths) == 2:
        raise StudyError(f"{folder}: has both {table}.csv and {table}.parquet; keep one of them")
    if paths[0].suffix == ".csv":
        return read_csv(paths[0], TEXT_COLUMNS)
    try:
        return read_parquet(paths[0])
    except Exception as error:  # pandas and pyarrow raise a dozen kinds
        raise StudyError(f"{paths[0]}: cannot be read: {error}") from error


def _add_named_schedules(lrs: pd.DataFrame | None, runs: pd.DataFrame) -> pd.DataFrame | None:
    """Learning rates of the file, and for runs not in it those of the schedules named in runs."""
    if "schedule" not in runs or "run" not in runs:
        return lrs
    in_file = set() if lrs is None or "run" not in lrs else set(map(str, lrs["run"].unique()))
    parts, total = [] if lrs is None else [lrs], 0
    for row in runs.to_dict("records"):
        run, name, params = str(row["run"]), row["schedule"], row.get("schedule_params")
        if run in in_file or not isinstance(name, str) or not name:
            continue
        try:
            arguments = schedules.parse_params(params if isinstance(params, str) else "")
            steps, takes = row.get("steps"), "num_training_steps" in schedule_arguments(name)
            # With all its parts, a schedule has a length of its own.
            if takes and "num_stable_steps" not in arguments and isinstance(steps, int | float):
                if steps > 0 and steps % 1 == 0:
                    arguments = {"num_training_steps": int(steps), **arguments}
            schedule = schedules.from_name(name, **arguments)
            total += schedule.n_steps
            check_count("the sum of steps of all named schedules", total)
        except ScheduleError as error:
            raise StudyError(f"runs: run {run!r}: {error}") from error
        updates = range(1, schedule.n_steps + 1)
        parts.append(pd.DataFrame({"run": run, "step": updates, "lr": schedule.lr}))
    return pd.concat(parts, ignore_index=True) if parts else None


def _expand_curricula(
    runs: pd.DataFrame, lrs: pd.DataFrame | None
) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    """Tables of runs and learning rates with curricula, written as pieces in runs, in the second.

    Where lrs has a replay ratio of its own for a run, that one is kept.
    """
    if "replay_ratio" not in runs or "run" not in runs:
        return runs, lrs
    ratios = runs["replay_ratio"].astype(object)
    written = [isinstance(value, str) and value.lstrip().startswith("[") for value in ratios]
    for row in [k for k, pieces in enumerate(written) if pieces]:
        run = str(runs["run"].iloc[row])
        own = None if lrs is None or "run" not in lrs else lrs["run"].astype(str) == run
        if lrs is None or own is None or not own.any():
            raise StudyError(
                f"runs: run {run!r}: replay_ratio is in pieces, but the run has no learning rates; "
                "give its schedule"
            )
        try:
            along = curriculum(json.loads(ratios.iloc[row]), int(own.sum()))
        except (RecursionError, ValueError) as error:
            raise StudyError(f"runs: run {run!r}: {error}") from error
        lrs = lrs.assign(replay=lrs["replay"] if "replay" in lrs else float("nan"))
        lrs.loc[own & lrs["replay"].isna(), "replay"] = along[lrs.loc[own, "replay"].isna()]
        ratios.iloc[row] = None
    return (runs.assign(replay_ratio=ratios), lrs) if any(written) else (runs, lrs)
