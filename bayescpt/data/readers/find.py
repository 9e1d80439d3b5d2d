"""The logs in files and folders."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from bayescpt.data.readers.record import LogRun, ReadOptions
from bayescpt.data.readers.registry import find_reader, registered_readers
from bayescpt.errors import BayescptError, MissingExtraError, StudyError

# Weights and archives, of which a training folder is full.
_NOT_LOGS = {
    *(".bin", ".pt", ".pth", ".ckpt", ".safetensors", ".npy", ".npz", ".pkl", ".model", ".gguf"),
    *(".zip", ".gz", ".tar", ".zst", ".png", ".pdf", ".svg", ".py", ".pyc", ".so", ".ipynb", ".md"),
}
# Of the model; a vocabulary is a JSON object with more keys than any log.
_MODEL_FILES = {
    *("tokenizer.json", "vocab.json", "tokenizer_config.json", "added_tokens.json", "config.json"),
    *("special_tokens_map.json", "generation_config.json", "model.safetensors.index.json"),
}


def read_log_files(paths: Iterable[str | os.PathLike[str]], options: ReadOptions) -> list[LogRun]:
    """Runs in logs, as the logs tell them.

    Parameters
    ----------
    paths : iterable of path
        Log files, and folders, which are searched with all folders in them. A file that is reached
        twice, as through W&B's link ``latest-run``, is read once.
    options : ReadOptions
        What the user says of columns.

    Returns
    -------
    list of LogRun
        In the order of the paths; a run may be there in several parts.

    Raises
    ------
    StudyError
        If a path does not exist, no reader recognises a file that was named, or no run is found.
    MissingExtraError
        If a file that was named needs a package that is not installed, or all files of the folders
        do; a folder's other files are read, and a note says what was left out.
    """
    runs: list[LogRun] = []
    seen: set[Path] = set()
    empty: list[Path] = []
    unread: list[tuple[Path, MissingExtraError]] = []
    given = [Path(path) for path in paths]
    for path in given:
        if not path.exists():
            raise StudyError(f"{path}: no such file or folder")
        for file in _files(path):
            real = file.resolve()
            if real in seen:
                continue
            seen.add(real)
            try:
                reader = find_reader(file)
                found = [] if reader is None else reader.read(file, options)
            except BayescptError:
                raise
            except MissingExtraError as error:
                # Event files lie beside other logs of the same run, which may be all that is
                # needed.
                if file == path:
                    raise
                unread.append((file, error))
                continue
            except Exception as error:  # of any kind: logs come damaged in every way
                kind = type(error).__name__
                raise StudyError(f"{file}: cannot be read as a log: {kind}: {error}") from error
            runs += [run for run in found if len(run.evals) or len(run.train) or len(run.lr)]
            if reader is None and file == path:
                raise StudyError(
                    f"{path}: no reader knows this file, whose first line is {_first_line(path)}; "
                    f"{_known()}"
                )
            if not found:
                empty.append(file)
    if unread and not runs:
        raise unread[0][1]
    if unread:
        file, missing = unread[0]
        more = f" and {len(unread) - 1} other files" if len(unread) > 1 else ""
        runs[0].notes.append(f"left out: {file}{more}: {missing}")
    if not runs:
        where = ", ".join(str(path) for path in given) or "no path"
        tried = f" (looked at {', '.join(str(f) for f in empty[:5])})" if empty else ""
        raise StudyError(
            f"{where}: no loss or learning rate by step found{tried}; {_known()}. Columns of a "
            'table with other names are explained by a column map, such as heldout_de = "eval:'
            'german", it = "step"'
        )
    return runs


def _files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
        return
    walked: set[Path] = set()
    for folder, folders, names in os.walk(path, followlinks=True):
        if (real := Path(folder).resolve()) in walked:  # a link to a folder above
            folders.clear()
            continue
        walked.add(real)
        if "study.toml" in names:  # a study that was made from logs
            folders.clear()
            continue
        # Hidden folders; W&B's link to the latest run, which is there under its own name too.
        folders[:] = sorted(
            f for f in folders if not f.startswith((".", "__")) and f != "latest-run"
        )
        if any(name.endswith(".wandb") for name in names):
            # What a run of W&B printed is a copy of what it logged.
            folders[:] = [f for f in folders if f not in ("files", "logs", "tmp")]
        for name in sorted(names, key=_natural):
            file = Path(folder, name)
            passed_over = name.startswith(".") or name in _MODEL_FILES
            passed_over = passed_over or file.suffix.lower() in _NOT_LOGS
            if not passed_over and file.is_file() and file.stat().st_size:
                yield file


def _natural(name: str) -> tuple[object, ...]:
    """Sort key by which part 10 comes after part 9."""
    digits = "".join(c if c.isdigit() else " " for c in name).split()
    return ("".join(c for c in name if not c.isdigit()), [int(d) for d in digits], name)


def _first_line(path: Path) -> str:
    with path.open("rb") as file:
        line = file.readline(200).strip()
    text = line.decode("utf-8", errors="replace")
    return repr(text if len(text) <= 80 else f"{text[:77]}...")


def _known() -> str:
    kinds = "; ".join(reader.what for reader in registered_readers())
    return f"known kinds: {kinds}"
