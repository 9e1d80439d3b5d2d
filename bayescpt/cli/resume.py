"""Long commands go on after an interruption: what is finished is kept until the end."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from bayescpt.cli.output import progress
from bayescpt.errors import BayescptError, WorkError
from bayescpt.files import check_writable
from bayescpt.interruption import Interrupted
from bayescpt.work import FOLDER_SUFFIX, others, pieces, remove_work

Resume = Annotated[
    bool,
    typer.Option(
        "--resume", help="Go on from what an interrupted run of the same command has kept."
    ),
]
WorkFolder = Annotated[
    Path | None,
    typer.Option(
        "--work",
        metavar="FOLDER",
        help="Keep what is finished in this folder until the end; by default beside the first "
        "output file.",
    ),
]


def work_beside(given: Path | None, outputs: Sequence[Path | None]) -> Path | None:
    """Work folder of a command.

    Parameters
    ----------
    given : Path or None
        Value of ``--work``.
    outputs : sequence of Path or None
        Files that the command will write.

    Returns
    -------
    Path or None
        None if there is neither, or the output is a device: then nothing is kept.
    """
    if given is not None:
        return given
    files = [path for path in outputs if path is not None]
    files = [path for path in files if path.is_file() or not path.exists()]
    return files[0].with_name(f"{files[0].name}{FOLDER_SUFFIX}") if files else None


@contextmanager
def keeping(folder: Path | None, resume: bool, what: str, quiet: bool = False) -> Iterator[None]:
    """Keep finished pieces while a command runs, and remove them when its outputs are written.

    Parameters
    ----------
    folder : Path or None
        The work folder.
    resume : bool
        Value of ``--resume``.
    what : str
        What a piece is, such as ``chain``; its plural ends in s.
    quiet : bool
        Do not report what is taken up again.

    Raises
    ------
    WorkError
        If the folder holds pieces and `resume` is not set, or something else and no pieces, or
        there is no folder to resume from.
    """
    if folder is None:
        if resume:
            raise WorkError("--resume: nothing is kept without an output file; give --work FOLDER")
        yield
        return
    kept = len(pieces(folder))
    if not kept and (strange := others(folder)):
        raise WorkError(
            f"{folder} holds {strange[0].name}, which is no finished {what}: give --work a folder "
            "that is new or empty, which is removed at the end"
        )
    if kept and not resume:
        raise WorkError(
            f"{folder} holds {_count(kept, what)} of an interrupted run: add --resume to go on "
            "from there, or delete the folder to begin anew"
        )
    check_writable(folder / "work.json")
    if kept:
        progress(f"going on from {_count(kept, what)} in {folder}", quiet)
    try:
        yield
    except (Interrupted, BayescptError) as error:
        if isinstance(error, WorkError):
            raise
        if kept := len(pieces(folder)):
            error.add_note(
                f"{_count(kept, what)} kept in {folder}: the same command with --resume goes on"
            )
        else:
            remove_work(folder)
            if isinstance(error, Interrupted):
                error.add_note(f"no {what} was finished, nothing is kept")
        raise
    # What was printed may not have been written yet, and the disk be full.
    sys.stdout.flush()
    remove_work(folder)


def _count(number: int, what: str) -> str:
    return f"{number} finished {what}{'s' * (number != 1)}"
