"""Losses in one unit expressed in another: the one place that converts them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from bayescpt.data.units import DEFAULT_UNIT
from bayescpt.errors import StudyError

Array = NDArray[np.float64]

# Nats in one unit of information, and what it is counted per; a perplexity is exp(nats per token).
_PARTS = {
    "nat/token": (1.0, "token"),
    "bit/token": (float(np.log(2.0)), "token"),
    "nat/byte": (1.0, "byte"),
    "bit/byte": (float(np.log(2.0)), "byte"),
    "perplexity": (1.0, "token"),
}


@dataclass(frozen=True)
class LossUnits:
    """The unit that losses are held in, and the one that they are shown in.

    Parameters
    ----------
    held : str
        Unit of the numbers in tables of a study and in forecasts.
    shown : str
        Unit in tables, figures and JSON of the command line; that of the user.
    bytes_per_token : mapping of str to float
        By domain, as far as known.

    Examples
    --------
    >>> from bayescpt.data.conversion import LossUnits
    >>> units = LossUnits("nat/token", "bit/byte", {"code": 4.0})
    >>> round(float(units.show(2.0, "code")), 3), round(float(units.read(0.721, "code")), 2)
    (0.721, 2.0)
    """

    held: str = DEFAULT_UNIT
    shown: str = DEFAULT_UNIT
    bytes_per_token: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, attrs: Mapping[Any, Any]) -> LossUnits:
        """Units from the attributes of a dataset or table.

        Parameters
        ----------
        attrs : mapping
            From `attrs`; where ``units`` is missing, the losses are in nats per token.

        Returns
        -------
        LossUnits
        """
        held = str(attrs.get("units") or DEFAULT_UNIT)
        known = json.loads(attrs.get("bytes_per_token", "{}"))
        return cls(held, str(attrs.get("shown_units") or held), known)

    def attrs(self) -> dict[str, str]:
        """Attributes from which `of` restores the units.

        Returns
        -------
        dict of str to str
            ``units``, and where they differ from it ``shown_units`` and ``bytes_per_token``.
        """
        out = {"units": self.held}
        if self.shown != self.held:
            out["shown_units"] = self.shown
        if self.bytes_per_token:
            out["bytes_per_token"] = json.dumps(dict(self.bytes_per_token))
        return out

    def show(self, losses: ArrayLike, domain: str) -> Array:
        """Losses in the unit of the user.

        Parameters
        ----------
        losses : array_like
            In the unit `held`.
        domain : str
            Domain that they were measured on.

        Returns
        -------
        ndarray
            In the unit `shown`, of the same shape.
        """
        return self.convert(losses, self.held, self.shown, domain)

    def read(self, losses: ArrayLike, domain: str) -> Array:
        """Losses as they are held.

        Parameters
        ----------
        losses : array_like
            In the unit `shown`.
        domain : str
            Domain that they were measured on.

        Returns
        -------
        ndarray
            In the unit `held`, of the same shape.
        """
        return self.convert(losses, self.shown, self.held, domain)

    def convert(self, losses: ArrayLike, source: str, target: str, domain: str) -> Array:
        """Losses in another unit.

        Parameters
        ----------
        losses : array_like
            In the unit `source`.
        source, target : str
            Units, as in `bayescpt.data.units.UNIT_NAMES`.
        domain : str
            Domain that they were measured on.

        Returns
        -------
        ndarray
            Of the same shape; the same numbers where the units are equal.

        Raises
        ------
        StudyError
            If a unit is unknown, or the bytes per token of the domain are needed and not known.
        """
        values = np.asarray(losses, dtype=float)
        if source == target:
            return values
        for unit in (source, target):
            if unit not in _PARTS:
                raise StudyError(f"losses in {source!r} cannot be expressed in {target!r}")
        (nats, counted), (wanted, per) = _PARTS[source], _PARTS[target]
        values = np.log(values) if source == "perplexity" else values * nats
        if counted != per:
            each = self._bytes(domain, source, target)
            values = values * each if per == "token" else values / each
        return np.exp(values) if target == "perplexity" else values / wanted

    def factor(self, domains: Sequence[str]) -> float | None:
        """Number that turns differences of losses into the unit of the user.

        Parameters
        ----------
        domains : sequence of str
            Domains that the differences, or weighted means of losses, are about.

        Returns
        -------
        float or None
            None where there is none: perplexities do not add, and domains may differ in bytes per
            token.
        """
        if "perplexity" in (self.held, self.shown) and self.held != self.shown:
            return None
        factors = {round(float(self.show(1.0, domain)), 12) for domain in domains}
        return float(self.show(1.0, domains[0])) if len(factors) == 1 else None

    def _bytes(self, domain: str, source: str, target: str) -> float:
        if domain not in self.bytes_per_token:
            raise StudyError(
                f"a loss in {source} on domain {domain!r} needs the bytes per token of that set to "
                f"be expressed in {target}: add to study.toml a table [study.bytes_per_token] with "
                f"a line {domain} = 4.2, the mean bytes of a token there"
            )
        return self.bytes_per_token[domain]


def check_bytes_per_token(given: Any, domains: Sequence[str]) -> dict[str, float]:
    """Bytes per token by domain.

    Parameters
    ----------
    given : float, mapping of str to float, or None
        One number for all domains, or numbers by domain.
    domains : sequence of str
        Domains with a loss.

    Returns
    -------
    dict of str to float
        Empty for None.

    Raises
    ------
    StudyError
        If a value is not a number above 0, or a domain has no loss.
    """
    if given is None:
        return {}
    table = dict(given) if isinstance(given, Mapping) else dict.fromkeys(domains, given)
    for domain, value in table.items():
        number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
        if not number or not (np.isfinite(value) and value > 0):
            raise StudyError(
                f"study.toml: bytes_per_token of domain {domain!r} is {value!r}; expected a number "
                "above 0, such as 4.2"
            )
        if domain not in domains:
            raise StudyError(
                f"study.toml: bytes_per_token has domain {domain!r}, which has no loss; domains "
                f"are {', '.join(sorted(domains))}"
            )
    return {str(domain): float(value) for domain, value in table.items()}


def in_nats(
    curves: pd.DataFrame, unit: str, bytes_per_token: Mapping[str, float]
) -> tuple[pd.DataFrame, str]:
    """Curves in nats, in which the priors of the law are stated.

    Parameters
    ----------
    curves : DataFrame
        Columns ``run``, ``step``, ``domain`` and ``loss``.
    unit : str
        Unit of the losses.
    bytes_per_token : mapping of str to float
        By domain; losses per byte are held per token where it is known.

    Returns
    -------
    curves : DataFrame
        The same rows.
    held : str
        Their unit: nats per token, or nats per byte where the bytes per token are not known.

    Raises
    ------
    StudyError
        If a perplexity is not above 1, or the bytes per token of some of the domains are missing.
    """
    per_byte = unit.endswith("/byte") and not bytes_per_token
    held = "nat/byte" if per_byte else DEFAULT_UNIT
    if unit == held:
        return curves, held
    loss = curves["loss"].to_numpy(dtype=float)
    if unit == "perplexity":
        for row in np.flatnonzero(~(loss > 1))[:1]:
            run, step, domain = curves[["run", "step", "domain"]].iloc[row]
            raise StudyError(
                f"curves: run {run!r}, step {step:g}, domain {domain!r}: loss is {loss[row]:g}; "
                "a perplexity is above 1 (loss_unit is 'perplexity')"
            )
    units = LossUnits(held, unit, bytes_per_token)
    converted = loss.copy()
    for domain, rows in curves.groupby("domain", sort=False).indices.items():
        converted[rows] = units.read(loss[rows], str(domain))
    return curves.assign(loss=converted), held
