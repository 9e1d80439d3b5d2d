"""Which set is the general one, and which a run's target."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence

from bayescpt.data.units import did_you_mean
from bayescpt.errors import StudyError

_GENERAL = re.compile(
    r"(?i)(general|generic|pt|pretrain(ing|ed)?|pre[-_]?training|base|replay|d_?pt|source"
    r"|c4|c4_en|fineweb|slimpajama|pile|the_pile|dolma|redpajama|openwebtext|dclm)"
)


def choose_general(
    given: str | None, domains: Iterable[Sequence[str]], targets: Collection[str]
) -> str | None:
    """The general set: as given, by its name, or as the only one that is no target.

    Parameters
    ----------
    given : str, optional
        What the user says.
    domains : iterable of sequence of str
        Sets by run.
    targets : collection of str
        Targets of runs, as far as they are known.

    Returns
    -------
    str or None
        None if it cannot be told.

    Raises
    ------
    StudyError
        If the given set has no loss in any log.

    Examples
    --------
    >>> from bayescpt.data.readers.sets import choose_general
    >>> choose_general(None, [("general", "german")], [])
    'general'
    >>> choose_general(None, [("english", "german")], ["german"])
    'english'
    """
    sets = list(dict.fromkeys(name for names in domains for name in names))
    if given is not None:
        if given and given not in sets:
            raise StudyError(
                f"general set {given!r} has no loss in the logs; {did_you_mean(given, sets)}"
                f"sets: {', '.join(sets)}"
            )
        return given or None
    others = [name for name in sets if name not in targets]
    named = [name for name in others if _GENERAL.fullmatch(name)]
    # "general" itself before a corpus that often is.
    named.sort(key=lambda name: not name.lower().startswith(("general", "pt", "pretrain")))
    if named:
        return named[0]
    return others[0] if targets and len(others) == 1 else None


def guess_target(domains: Sequence[str], general: str | None) -> str | None:
    """The target of a run where only one set can be it.

    Parameters
    ----------
    domains : sequence of str
        Sets on which the run was evaluated.
    general : str or None
        The general set.

    Returns
    -------
    str or None
        None if there are several, of which the general set is not known.

    Examples
    --------
    >>> from bayescpt.data.readers.sets import guess_target
    >>> guess_target(("general", "german"), "general")
    'german'
    """
    others = [name for name in domains if name != general]
    is_clear = len(others) == 1 and (general is not None or len(domains) == 1)
    return others[0] if is_clear else None
