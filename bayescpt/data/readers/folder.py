"""The study folder that an import of logs writes."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from bayescpt.data.io import COMPACT, TOML_KEYS
from bayescpt.data.readers.assembled import Assembled
from bayescpt.errors import StudyError
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
    made_folder = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    writers: dict[str, Callable[[Path], Any]] = {
        "study.toml": lambda path: path.write_text(lines + "\n", encoding="utf-8"),
        "runs.csv": lambda path: assembled.runs.to_csv(path, index=False),
        "curves.csv": lambda path: assembled.curves.to_csv(path, index=False),
    }
    if assembled.lrs:
        writers["lrs.parquet"] = lambda path: _lrs(assembled).to_parquet(
            path, index=False, **COMPACT
        )
    # All files are whole before the first takes its place.
    drafts: dict[Path, Path] = {}
    try:
        for name, write in writers.items():
            handle, draft = tempfile.mkstemp(prefix=f".{name}-", dir=folder)
            os.close(handle)
            drafts[folder / name] = Path(draft)
            write(Path(draft))
            Path(draft).chmod(0o644)
        for path, draft_path in drafts.items():
            draft_path.replace(path)
    except BaseException:
        for draft_path in drafts.values():
            draft_path.unlink(missing_ok=True)
        if made_folder and not any(folder.iterdir()):
            folder.rmdir()
        raise
    for name in ("runs.parquet", "curves.parquet", "lrs.csv", *_FILES):
        if folder / name not in drafts:
            (folder / name).unlink(missing_ok=True)
    return list(drafts)


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
