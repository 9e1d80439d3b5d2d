"""The highest loss allowed on a domain, as people state it, and the nats that it means."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayescpt.data.conversion import LossUnits
from bayescpt.data.units import ALIASES, UNIT_NAMES, did_you_mean, unit_name
from bayescpt.errors import PlanError, StudyError

Array = NDArray[np.float64]

FORMS = "3.45, '+0.05', '-0.2', '+2%', '-10%', 'ppl:8.1', 'bpb:0.61', 'bpt:3.1' or 'nats:2.1'"
# A limit this many times above or below every loss of the fitted runs and of the plans is taken for
# a slip of the unit: between recipes, the losses of a set differ by far less.
FAR = 1.5
# Where the fitted runs are not known, only a limit this many times above those of the plans.
FAR_ABOVE = 3.0
# A reading of a limit is suggested if it lies among the losses, or this share outside them.
NEAR = 0.1
_TEXT = re.compile(
    r"(?:(?P<unit>[^:\s]*)\s*:)?\s*(?P<sign>[+-]?)\s*"
    r"(?P<number>(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)\s*(?P<percent>%?)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Limit:
    """The highest loss allowed on a domain.

    Attributes
    ----------
    given : float or str
        As the user gave it.
    value : float
        A loss, or a rise over the start checkpoint (negative for a fall); a share for a percentage.
    unit : str or None
        Unit of the loss or rise; None for that of the study.
    relative : bool
        Whether it is a rise over the start checkpoint of each plan.
    percent : bool
        Whether the rise is a share of the loss of the start checkpoint.

    Examples
    --------
    >>> from bayescpt.decide.limits import read_limit
    >>> limit = read_limit("general", "+2%")
    >>> limit.relative, limit.percent, limit.value
    (True, True, 0.02)
    """

    given: float | str
    value: float
    unit: str | None = None
    relative: bool = False
    percent: bool = False

    def nats(self, units: LossUnits, domain: str, start: Array | None) -> Array:
        """The loss that the limit means, as losses are held (nats).

        Parameters
        ----------
        units : LossUnits
            Units of the study.
        domain : str
            Domain of the limit.
        start : ndarray or None
            Losses of start checkpoints on the domain, nats; needed for a relative limit.

        Returns
        -------
        ndarray
            Of the shape of `start`, or () for an absolute limit.

        Raises
        ------
        PlanError
            If the limit needs the bytes per token of the domain and they are not known.
        """
        unit = self.unit or units.shown
        try:
            if not self.relative or start is None:
                return units.convert(self.value, unit, units.held, domain)
            shown = units.convert(start, units.held, unit, domain)
            limit = shown * (1.0 + self.value) if self.percent else shown + self.value
            # A fall below nothing is no loss at all: a perplexity of 1.
            least = 1.0 if unit == "perplexity" else 0.0
            return units.convert(np.maximum(limit, least), unit, units.held, domain)
        except StudyError as error:
            raise PlanError(f"goal {domain} = {self.given}: {error}") from error


def read_limit(domain: str, given: Any) -> Limit:
    """Read a limit.

    Parameters
    ----------
    domain : str
        Domain, for messages.
    given : float or str
        A number is a loss in the unit of the study; text may be one of `FORMS`. A sign makes it a
        rise over the start checkpoint of each plan, ``%`` a share of its loss.

    Returns
    -------
    Limit

    Raises
    ------
    PlanError
        If it is none of these.

    Examples
    --------
    >>> from bayescpt.decide.limits import read_limit
    >>> read_limit("code", "bpb:0.61").unit, read_limit("code", "-0.2").value
    ('bit/byte', -0.2)
    """
    where = f"the goal's threshold for domain {domain!r} is {given!r}"
    if isinstance(given, int | float | np.number) and not isinstance(given, bool):
        number = float(given)
        if not np.isfinite(number):
            raise PlanError(f"{where}; it must be a finite number, or one of {FORMS}")
        return Limit(given if isinstance(given, int) else number, number)
    match = None
    if isinstance(given, str):
        match = _TEXT.fullmatch(given.replace("\N{MINUS SIGN}", "-").strip())
    if match is None:
        raise PlanError(f"{where}; it must be a finite number, or one of {FORMS}")
    unit = None if match["unit"] is None else _unit(match["unit"], where)
    value = float(match["number"]) * (-1.0 if match["sign"] == "-" else 1.0)
    if match["percent"]:
        if not match["sign"]:
            raise PlanError(
                f"{where}; a percentage is relative to the start checkpoint: write "
                f"'+{given.strip()}' for a rise, '-{given.strip()}' for a fall"
            )
        value /= 100.0
        if value <= -1.0:
            raise PlanError(f"{where}; a fall of 100% or more leaves no loss")
    relative = bool(match["sign"])
    if not relative and not value > 0:
        raise PlanError(f"{where}; a loss is above 0")
    plain = unit is None and not relative
    return Limit(value if plain else given.strip(), value, unit, relative, bool(match["percent"]))


def is_far(nats: float, observed: Sequence[float]) -> bool:
    """Whether a limit is far outside the losses of the fitted runs.

    Parameters
    ----------
    nats : float
        What it means.
    observed : sequence of float
        Lowest and highest loss, nats.

    Returns
    -------
    bool
    """
    return not observed[0] / FAR <= nats <= observed[1] * FAR


def check_reach(
    limit: Limit,
    domain: str,
    nats: Array,
    losses: Array,
    starts: Array | None,
    units: LossUnits,
    observed: Sequence[float] = (),
) -> None:
    """Raise an error if a limit is far outside all losses, which a slip of the unit explains.

    Parameters
    ----------
    limit : Limit
        The limit.
    domain : str
        Its domain.
    nats : ndarray
        What it means, nats.
    losses : ndarray
        Losses of the plans where they are judged, by draw, nats.
    starts : ndarray or None
        Losses of their start checkpoints, nats; None or NaN where they have none.
    units : LossUnits
        Units of the study.
    observed : sequence of float
        Lowest and highest loss of the fitted runs there, nats, where they are known.

    Raises
    ------
    PlanError
        If it is more than `FAR` times above or below them; the message suggests other readings.
    """
    meant = float(np.nanmedian(nats))
    start = None
    if starts is not None and np.isfinite(starts).any():
        start = float(np.nanmedian(starts))
    # A rise of more than half the loss of the start checkpoint is one in another unit.
    steep = limit.relative and start is not None and meant > FAR * start
    if not steep and observed and not is_far(meant, observed):
        return
    known = losses[np.isfinite(losses)]
    if not known.size:
        return
    low, high = np.quantile(known, [0.01, 0.99])
    low, high = min([low, *observed]), max([high, *observed])
    if starts is not None and start is not None:
        low, high = min(low, np.nanmin(starts)), max(high, np.nanmax(starts))
    lowest, highest = (low / FAR, high * FAR) if observed else (-np.inf, high * FAR_ABOVE)
    if not steep and lowest <= meant <= highest:
        return
    found = _readings(limit, domain, (low, high), start, units)
    hint = f": did you mean {' or '.join(found)}?" if found else f"; a goal may be {FORMS}"
    against = f"far {'above' if meant > high else 'below'} all losses on {domain}"
    if steep:
        low, against = start, f"far above the start checkpoint on {domain}"
    ends = f"{low:.3g}" if steep else f"{low:.3g} to {high:.3g}"
    raise PlanError(
        f"goal {domain} = {limit.given} is {meant:.4g} {unit_name(units.held)}, {against} ({ends})"
        f"{hint}"
    )


def _readings(
    limit: Limit, domain: str, among: tuple[float, float], start: float | None, units: LossUnits
) -> list[str]:
    """Other forms of a limit that lie among the losses, with the nats that they mean."""
    size = f"{abs(limit.value) * (100.0 if limit.percent else 1.0):.12g}"
    forms = [f"ppl:{size}", f"bpb:{size}", f"bpt:{size}", f"nats:{size}"]
    if start is not None:
        sign = "-" if limit.value < 0 else "+"
        rises = [f"{sign}{size}", f"{sign}{size}%"]
        forms += rises if float(size) < 1 else rises[::-1]
    forms += [f"{float(size) / scale:.12g}" for scale in (10, 100, 1000)]
    found = []
    for form in forms:
        try:
            other = read_limit(domain, form)
            meant = float(other.nats(units, domain, None if start is None else np.array(start)))
        except PlanError:
            continue
        same = (other.value, other.relative, other.percent) == (
            *(limit.value, limit.relative, limit.percent),
        )
        if same and (other.unit or units.shown) == (limit.unit or units.shown):
            continue
        if among[0] * (1 - NEAR) <= meant <= among[1] * (1 + NEAR):
            # Signs need quotes in TOML and Python.
            shown = form if not isinstance(other.given, str) else repr(form)
            found.append(f"{shown} ({meant:.4g} {unit_name(units.held)})")
    return found[:3]


def limit_text(given: float | str) -> str:
    """A limit in tables, as the user gave it.

    Parameters
    ----------
    given : float or str
        Such as 3.3 or "+2%".

    Returns
    -------
    str
    """
    return given if isinstance(given, str) else f"{given:g}"


def limit_labels(
    goal: Mapping[str, float | str], levels: Mapping[str, Mapping[str, float]], attrs: Any
) -> dict[str, str]:
    """Limits with the nats that they mean.

    Parameters
    ----------
    goal : mapping of str to float or str
        Limits by domain as the user gave them.
    levels : mapping of str to mapping of str to float
        What they mean for each plan, by domain, nats.
    attrs : mapping
        Attributes of the table or dataset, with its units.

    Returns
    -------
    dict of str to str
        Such as "+2% (3.4 nats per token)"; the number alone where it is in nats itself.

    Examples
    --------
    >>> from bayescpt.decide.limits import limit_labels
    >>> limit_labels({"german": "ppl:20"}, {"german": {"wsd": 2.9957}}, {"units": "nat/token"})
    {'german': 'ppl:20 (2.996 nats per token)'}
    """
    units = LossUnits.of(attrs)
    labels = {}
    for domain, given in goal.items():
        values = [x for x in levels.get(domain, {}).values() if np.isfinite(x)]
        labels[domain] = limit_text(given)
        if not values or (not isinstance(given, str) and units.shown == units.held):
            continue
        ends = dict.fromkeys(f"{x:.4g}" for x in (min(values), max(values)))
        labels[domain] += f" ({' to '.join(ends)} {unit_name(units.held)})"
    return labels


def _unit(name: str, where: str) -> str:
    unit = ALIASES.get(name.lower(), name.lower())
    unit = {"nat": "nat/token"}.get(unit, unit)
    if unit not in UNIT_NAMES:
        hint = did_you_mean(name, [*ALIASES, *UNIT_NAMES])
        raise PlanError(f"{where}; unknown unit {name!r}; {hint}units are {', '.join(ALIASES)}")
    return unit
