"""Curricula in a space of recipes: pieces of constant replay whose ratios and lengths vary."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bayescpt.data.curriculum import is_pieces
from bayescpt.decide.axis import make_axis
from bayescpt.errors import PlanError

PIECES = "replay_pieces"
RATIO = "replay_ratio"
SWITCH = "switch_share"
# More pieces than any trained curriculum had; each adds two settings to the search.
MOST = 5
# By default no piece is shorter than a twentieth of the run at its ends.
ANYWHERE = (0.05, 0.95)


def numbered(name: str, k: int) -> str:
    """Name of the setting of one piece.

    Parameters
    ----------
    name : str
        ``replay_ratio`` or ``switch_share``.
    k : int
        Number of the piece or the switch, from 1.

    Returns
    -------
    str
        The name itself for the first.

    Examples
    --------
    >>> numbered("replay_ratio", 1), numbered("replay_ratio", 2)
    ('replay_ratio', 'replay_ratio_2')
    """
    return name if k == 1 else f"{name}_{k}"


def base_name(name: str) -> str:
    """Setting that one of a piece is like.

    Parameters
    ----------
    name : str
        Such as ``replay_ratio_2``.

    Returns
    -------
    str
        Such as ``replay_ratio``; any other name stays.

    Examples
    --------
    >>> base_name("replay_ratio_2"), base_name("num_decay_steps")
    ('replay_ratio', 'num_decay_steps')
    """
    base, _, number = name.rpartition("_")
    return base if base in (RATIO, SWITCH) and number.isdigit() else name


def with_pieces(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings with those of every piece spelt out.

    Parameters
    ----------
    settings : mapping of str to Any
        Settings of a space.

    Returns
    -------
    dict of str to Any
        With ``replay_ratio_2``, ... and ``switch_share``, ``switch_share_2``, ... where
        ``replay_pieces`` is above 1; as they are without it.

    Raises
    ------
    PlanError
        If the number of pieces is no whole number from 1 to 5, the replay ratio is missing or
        itself in pieces, a switch lies outside the run, or there are settings of pieces that no
        recipe has.

    Examples
    --------
    >>> made = with_pieces({"replay_ratio": (0.1, 0.5), "replay_pieces": [1, 2]})
    >>> sorted(made)
    ['replay_pieces', 'replay_ratio', 'replay_ratio_2', 'switch_share']
    """
    given = dict(settings)
    own = [name for name in given if name == SWITCH or base_name(name) != name]
    if PIECES not in given:
        if own:
            raise PlanError(
                f"the space has {own[0]!r} but no {PIECES!r}: the number of pieces of constant "
                "replay, such as [1, 2, 3]"
            )
        return given
    most = max(_numbers(given[PIECES]))
    if RATIO not in given:
        raise PlanError(f"the space has {PIECES!r} but no {RATIO!r}: the ratios of the pieces")
    given.setdefault(SWITCH, ANYWHERE)
    known = [numbered(RATIO, k) for k in range(1, most + 1)]
    known += [numbered(SWITCH, k) for k in range(1, most)]
    for name in known:
        given.setdefault(name, given[base_name(name)])
    for name in (n for n in given if base_name(n) in (RATIO, SWITCH)):
        if name not in known and not (name == SWITCH and most == 1):
            raise PlanError(f"the space has {name!r}, but {PIECES} is at most {most}")
        _check(name, given[name])
    if most == 1:
        del given[SWITCH]
    return given


def _numbers(setting: Any) -> tuple[int, ...]:
    """The numbers of pieces that recipes may have."""
    values = make_axis(PIECES, setting).values
    if not values or not all(type(n) is int and 1 <= n <= MOST for n in values):
        raise PlanError(
            f"{PIECES} is {setting!r}; give whole numbers from 1 to {MOST}, such as [1, 2, 3]"
        )
    return values


def _check(name: str, setting: Any) -> None:
    """Raise an error unless a setting of a piece has numbers of 0 to 1."""
    axis = make_axis(name, setting)
    values = axis.values or (axis.low, axis.high)
    if any(is_pieces(value) for value in values):
        raise PlanError(
            f"{name} is {setting!r}: with {PIECES} it is the ratio of a piece; give numbers"
        )
    for value in values:
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
            raise PlanError(f"{name} is {setting!r}; expected numbers from 0 to 1")


def used(name: str, point: Mapping[str, Any]) -> bool:
    """Whether a setting counts at a point: that of a piece that the recipe lacks does not.

    Parameters
    ----------
    name : str
        A setting.
    point : mapping of str to Any
        Value of each setting.

    Returns
    -------
    bool

    Examples
    --------
    >>> used("switch_share", {"replay_pieces": 1}), used("replay_ratio", {"replay_pieces": 1})
    (False, True)
    """
    if PIECES not in point or base_name(name) not in (RATIO, SWITCH):
        return True
    known = point[PIECES] - (base_name(name) == SWITCH)
    return name in [numbered(base_name(name), k) for k in range(1, known + 1)]


def replay_at(point: Mapping[str, Any]) -> Any:
    """Replay ratio of the recipe at a point.

    Switches count in the order of the run; pieces without a step, and changes to the same ratio,
    are none.

    Parameters
    ----------
    point : mapping of str to Any
        Value of each setting.

    Returns
    -------
    float or tuple of (step, ratio)
        A number where the ratio is constant, else pieces as `bayescpt.curriculum` takes them; None
        where the space has no replay ratio.

    Examples
    --------
    >>> point = {"replay_pieces": 2, "replay_ratio": 0.1, "replay_ratio_2": 0.5}
    >>> replay_at(point | {"switch_share": 0.75, "num_training_steps": 1000})
    ((0, 0.1), (750, 0.5))
    >>> replay_at(point | {"replay_ratio_2": 0.1, "switch_share": 0.5, "num_training_steps": 1000})
    0.1
    """
    if PIECES not in point:
        return point.get(RATIO)
    n_steps, number = int(point["num_training_steps"]), point[PIECES]
    switches = sorted(round(point[numbered(SWITCH, k)] * n_steps) for k in range(1, number))
    ratios = [point[numbered(RATIO, k)] for k in range(1, number + 1)]
    pieces: list[tuple[int, float]] = []
    for first, last, ratio in zip([0, *switches], [*switches, n_steps], ratios, strict=True):
        if last > first and not (pieces and pieces[-1][1] == ratio):
            pieces.append((first, ratio))
    return pieces[0][1] if len(pieces) == 1 else tuple(pieces)
