"""The study folder that an import of logs writes."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from bayescpt.data.io import COMPACT, TOML_KEYS
from bayescpt.data.readers.assembled import Assembled
from bayescpt.errors import StudyError
from bayescpt.files import Write, write_files, write_new_folder
from bayescpt.toml_file import read_toml

_FILES = ("study.toml", "runs.csv", "curves.csv", "lrs.parquet")


def write_folder(assembled: Assembled, folder: Path, overwrite: bool = False) -> list[Path]:
    """Write tables made from logs as a study folder, in which blanks may be filled in.

    Parameters
    ----------
    assembled : Assembled
        The tables.
    folder : Path
        Folder to write.
    overwrite : bool
        Replace a study that is there. What its study.toml says is kept; `assemble` takes what was
        filled into its runs.csv.

    Returns
    -------
    list of Path
        Files that were written.

    Raises
    ------
    StudyError
        If the folder holds a study, or is not empty, and `overwrite` is not set.
    WriteError
        If a file cannot be written; what was there before is unchanged.
    """
    if folder.exists() and not folder.is_dir():
        raise StudyError(f"{folder}: is a file; give the name of a folder")
    present = folder.is_dir() and any(folder.iterdir())
    if present and not overwrite:
        raise StudyError(
            f"{folder}: exists and is not empty; write to another folder, or give --overwrite, "
            "which keeps what was filled into its runs.csv"
        )
    about = {"name": folder.name} | _kept_toml(folder) | {"general": assembled.general or ""}
    lines = "\n".join(
        ["[study]", *(f"{key} = {json.dumps(value)}" for key, value in about.items())]
    )
    writers: dict[str, Write] = {
        "study.toml": partial(Path.write_text, data=lines + "\n", encoding="utf-8"),
        "runs.csv": partial(assembled.runs.to_csv, index=False),
        "curves.csv": partial(assembled.curves.to_csv, index=False),
    }
    if assembled.lrs:
        writers["lrs.parquet"] = partial(_lrs(assembled).to_parquet, index=False, **COMPACT)
    if not present:
        write_new_folder(folder, writers)
        return [folder / name for name in writers]
    files = write_files(folder, writers)
    for name in ("runs.parquet", "curves.parquet", "lrs.csv", *_FILES):
        if name not in writers:
            (folder / name).unlink(missing_ok=True)
    return files


def kept_general(folder: Path) -> str | None:
    """The general set that the study.toml of a folder names.

    Parameters
    ----------
    folder : Path
        Folder of a study, or of none yet.

    Returns
    -------
    str or None
        None where it names none.

    Raises
    ------
    StudyError
        If the file cannot be read.
    """
    return _kept_toml(folder).get("general") or None


def _lrs(assembled: Assembled) -> pd.DataFrame:
    parts = [
        pd.DataFrame({"run": run, "step": range(1, lr.size + 1), "lr": lr})
        for run, lr in assembled.lrs.items()
    ]
    return pd.concat(parts, ignore_index=True)


def _kept_toml(folder: Path) -> dict[str, Any]:
    path = folder / "study.toml"
    if not path.is_file():
        return {}
    content = read_toml(path, StudyError)
    about = content.get("study", content)
    if not isinstance(about, dict):
        raise StudyError(f"{path}: expected a table [study]")
    return {key: about[key] for key in TOML_KEYS if key in about}
