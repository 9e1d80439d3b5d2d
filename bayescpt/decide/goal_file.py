"""Goal files: TOML, with one table ``[goal]``."""

from __future__ import annotations

from pathlib import Path

from bayescpt.decide.goals import Goal
from bayescpt.errors import PlanError
from bayescpt.toml_file import read_toml


def read_goal(path: str | Path) -> Goal:
    r"""Read a goal from a TOML file.

    Parameters
    ----------
    path : str or Path
        File with a table ``[goal]``: a line per domain, such as ``general = "+2%"``, in any form
        that `Goal` takes. A sign needs quotes: TOML reads ``+0.05`` as 0.05.

    Returns
    -------
    Goal

    Raises
    ------
    PlanError
        If the file cannot be read, or a limit is in none of these forms.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import bayescpt as bc
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "goal.toml")
    ...     _ = path.write_text('[goal]\ngeneral = "+2%"\ncode = "bpb:0.61"\n')
    ...     dict(bc.read_goal(path).thresholds)
    {'general': '+2%', 'code': 'bpb:0.61'}
    """
    content = read_toml(path, PlanError)
    table = content.get("goal")
    if not isinstance(table, dict) or len(content) > 1:
        raise PlanError(f"{path}: it must hold one table [goal] and nothing else")
    try:
        return Goal(table)
    except PlanError as error:
        raise PlanError(f"{path}: {error}") from error
