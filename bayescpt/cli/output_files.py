"""Files that commands write: refused before the work if they cannot be, whole afterwards."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from bayescpt.errors import WriteError
from bayescpt.files import check_writable, write_file

if TYPE_CHECKING:
    import pandas as pd

    from bayescpt.data.figures import Figure

# Endings of figures that matplotlib draws; checked without loading it.
FIGURES = (".png", ".pdf", ".svg", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".eps", ".ps")
# Files that this command has written, for the line after an interruption.
WRITTEN: list[Path] = []


def check_outputs(
    tables: Mapping[str, Path | None],
    figures: Mapping[str, Path | None],
    inputs: Iterable[str | Path | None] = (),
) -> None:
    """Refuse files that cannot be written, before any work is done for them.

    Parameters
    ----------
    tables, figures : Mapping of str to Path or None
        Files by option; None where the option was not given.
    inputs : iterable of path
        What the command reads, and must not replace; a folder stands for the files of the study in
        it. None is passed over, and so is text that is no path, such as the name of an example.

    Raises
    ------
    WriteError
        If a file cannot be written, has the ending of no figure, is asked for twice, or is one that
        the command reads.
    """
    taken = {os.path.realpath(path): f"{path}, which this command reads" for path in _files(inputs)}
    for option, path in {**tables, **figures}.items():
        if path is None:
            continue
        if option in figures and path.suffix.lower() not in FIGURES:
            raise WriteError(f"{option} {path}: a figure ends in one of {', '.join(FIGURES)}")
        place = os.path.realpath(path)
        if place in taken:
            raise WriteError(f"{option} {path}: would replace {taken[place]}")
        check_writable(path)
        if path.is_file() or not path.exists():
            taken[place] = f"the file of {option}"


def _files(inputs: Iterable[str | Path | None]) -> Iterator[Path]:
    """Files of what a command reads."""
    for given in inputs:
        if given is None or (isinstance(given, str) and not Path(given).exists()):
            continue
        path = Path(given)
        if path.is_dir():
            # Imported here: it loads pandas.
            from bayescpt.data.io import study_files

            yield from study_files(path)
        else:
            yield path


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        The figure.
    path : Path
        The file; its ending is the format.
    """
    # The name of the draft of a device has no ending.
    kind = path.suffix.lower().removeprefix(".") or None
    write_file(path, lambda draft: figure.savefig(draft, dpi=150, format=kind))
    WRITTEN.append(path)


def save_table(table: pd.DataFrame, path: Path) -> None:
    """Write a table, as Parquet or CSV by the ending of its file.

    Parameters
    ----------
    table : pandas.DataFrame
        The table, without its index.
    path : Path
        The file.
    """
    save = table.to_parquet if path.suffix == ".parquet" else table.to_csv
    write_file(path, lambda draft: save(draft, index=False))
    WRITTEN.append(path)
