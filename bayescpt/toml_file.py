"""TOML files, read with errors of the package: a line that names the file, whatever is in it."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bayescpt.errors import BayescptError

# No file of ours nests more than five tables and arrays.
DEEPEST = 50
# TOML promises no integers beyond these.
_LARGEST = 2**63 - 1


def read_toml(
    path: str | os.PathLike[str], error: type[BayescptError], missing: str = ""
) -> dict[str, Any]:
    """Read a TOML file.

    Parameters
    ----------
    path : path
        The file, in UTF-8, with or without a byte order mark.
    error : type of BayescptError
        What to raise.
    missing : str
        Follows "no such file" in the message where there is none.

    Returns
    -------
    dict
        Its content.

    Raises
    ------
    BayescptError
        If there is no such file, or it is not UTF-8 or not TOML.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise error(f"{path}: no such file{missing}") from None
    except UnicodeDecodeError as fault:
        raise error(
            f"{path}: cannot be read: byte {fault.start + 1} is not UTF-8; save the file as UTF-8"
        ) from fault
    except (OSError, ValueError) as fault:  # ValueError: a path with a null character
        raise error(f"{path}: cannot be read: {fault}") from fault
    return parse_toml(text, str(path), error)


def parse_toml(text: str, where: str, error: type[BayescptError]) -> dict[str, Any]:
    """Read TOML text.

    Parameters
    ----------
    text : str
        The text.
    where : str
        Name of its file in messages.
    error : type of BayescptError
        What to raise.

    Returns
    -------
    dict
        Its content.

    Raises
    ------
    BayescptError
        If it is not TOML, nests more than 50 levels or has an integer of more than 64 bits.

    Examples
    --------
    >>> from bayescpt.errors import PlanError
    >>> parse_toml("a = 1", "plans.toml", PlanError)
    {'a': 1}
    >>> parse_toml("a = [" + 100_000 * "[", "plans.toml", PlanError)
    Traceback (most recent call last):
    bayescpt.errors.PlanError: plans.toml: cannot be read: it nests more than 50 levels deep
    """
    deep = f"{where}: cannot be read: it nests more than {DEEPEST} levels deep"
    try:
        content = tomllib.loads(text)
    except RecursionError:
        raise error(deep) from None
    except ValueError as fault:  # a number of thousands of digits is no TOMLDecodeError
        raise error(f"{where}: cannot be read: not valid TOML: {fault}") from fault
    level: list[Any] = [content]
    for _ in range(DEEPEST):
        level = [inner for outer in level for inner in _inside(outer, where, error)]
        if not level:
            return content
    raise error(deep)


def _inside(outer: Any, where: str, error: type[BayescptError]) -> Iterator[Any]:
    """Tables and arrays in one."""
    for value in outer.values() if isinstance(outer, dict) else outer:
        if isinstance(value, dict | list):
            yield value
        elif isinstance(value, int) and not -_LARGEST - 1 <= value <= _LARGEST:
            raise error(f"{where}: cannot be read: an integer has more than 64 bits")
