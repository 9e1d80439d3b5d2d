"""Inputs of the compiled pass of a law, in order, and the programs of its terms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from bayescpt.errors import CardError
from bayescpt.laws.law import Law, sample_view
from bayescpt.laws.noise import Noise
from bayescpt.model.compiled.emitter import Program
from bayescpt.model.compiled.symbolic import Branch, derive


@dataclass(frozen=True)
class TermCode:
    """A term in the compiled pass.

    Attributes
    ----------
    slot : str
        Slot of the term.
    prefix : str
        Prefix of its names in the code.
    phases : tuple of str
        Phases in which it applies.
    coefficients : tuple of str
        All coefficients.
    by : tuple of str
        Coefficients with a gradient.
    bases : tuple of str
        Bases that its equation reads.
    code : Branch or Program
        Outputs: value, derivatives with respect to `by`, derivatives with respect to `bases`.
    """

    slot: str
    prefix: str
    phases: tuple[str, ...]
    coefficients: tuple[str, ...]
    by: tuple[str, ...]
    bases: tuple[str, ...]
    code: Branch | Program


@dataclass(frozen=True)
class Layout:
    """Inputs of the compiled pass.

    Attributes
    ----------
    terms : tuple of TermCode
        Terms that vary by row.
    bases : tuple of str
        All bases.
    segment_features, row_features : tuple of str
        Features that equations read.
    """

    terms: tuple[TermCode, ...]
    bases: tuple[str, ...]
    segment_features: tuple[str, ...]
    row_features: tuple[str, ...]

    @property
    def by(self) -> tuple[tuple[str, str], ...]:
        """Slot and name of every coefficient with a gradient, the offset first."""
        return (
            ("level", "offset"),
            *((term.slot, name) for term in self.terms for name in term.by),
        )

    @property
    def fixed(self) -> tuple[tuple[str, str], ...]:
        """Slot and name of the coefficients without a gradient."""
        return tuple(
            (term.slot, name)
            for term in self.terms
            for name in term.coefficients
            if name not in term.by
        )

    def argument(self, slot: str, name: str) -> str:
        """Name of a coefficient in the code.

        Parameters
        ----------
        slot, name : str
            Slot and name of the coefficient.

        Returns
        -------
        str
        """
        return "c_offset" if slot == "level" else f"{slot}_c_{name}"


_LAYOUTS: dict[tuple[Any, ...], Layout] = {}


def layout(law: Law) -> Layout:
    """Inputs of the compiled pass of a law.

    Parameters
    ----------
    law : Law
        The law.

    Returns
    -------
    Layout
    """
    kinds = tuple(type(term) for term in law.terms)
    key = (kinds, tuple(law.choices.items()), law.paper, law.pretraining)
    if key not in _LAYOUTS:
        _LAYOUTS[key] = _make_layout(law)
    return _LAYOUTS[key]


def _make_layout(law: Law) -> Layout:
    shapes = {name: np.ndim(value) for name, value in law.features(sample_view(law), False).items()}
    by_row = {name: ndim > 0 for name, ndim in shapes.items()}
    names = _coefficient_names(law)
    terms, read = [], set[str]()
    for term in law.terms:
        if term.flat:
            continue
        own = names[term.slot]
        by = tuple(name for name in own if name not in term.fixed)
        needed = _read(term, own, shapes)
        read.update(needed)
        bases = tuple(name for name in needed if shapes[name] == 2)
        try:
            code = derive(term.rows, own, by_row, (*by, *bases), f"{term.slot}_")
        except NotImplementedError as error:
            kind = f"{type(term).__module__}.{type(term).__qualname__}"
            raise CardError(f"law.{term.slot} = {term.name!r} ({kind}): {error}") from error
        terms.append(TermCode(term.slot, f"{term.slot}_", term.phases, own, by, bases, code))
    return Layout(
        tuple(terms),
        tuple(name for name, ndim in shapes.items() if ndim == 2),
        tuple(name for name, ndim in shapes.items() if ndim == 0 and name in read),
        tuple(name for name, ndim in shapes.items() if ndim == 1 and name in read),
    )


class _Recorder(dict[str, Any]):
    """Mapping that records which keys are read."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        super().__init__(values)
        self.read: list[str] = []

    def __getitem__(self, name: str) -> Any:
        self.read.append(name)
        return super().__getitem__(name)


def _read(term: Any, coefficients: tuple[str, ...], features: Mapping[str, Any]) -> list[str]:
    """Features that a term's equation reads."""
    recorder = _Recorder(dict.fromkeys(features, np.float64(0.5)))
    term.rows(dict.fromkeys(coefficients, np.float64(0.5)), recorder)
    return list(dict.fromkeys(recorder.read))


def _coefficient_names(law: Law) -> dict[str, tuple[str, ...]]:
    """Coefficient names by slot, found by evaluating the law on numbers."""
    half = np.float64(0.5)
    values = {parameter.name: half for parameter in law.parameters}
    view = sample_view(law)
    if law.paper:
        values |= law.to_reference(values, view.refs)
    if law.continual:
        values |= {"start_level": half, "start_mean": half}
    features = {name: half for name in law.segment_features}
    # An array can be of either phase; a number would drop the terms of the other.
    phase = {"is_cpt": np.array(0.5), "is_target": half, "replay": half}
    coefficients = law.coefficients(values, features | phase)
    return {slot: tuple(names) for slot, names in coefficients.items()}


def noise_code(noise: Noise) -> tuple[tuple[str, ...], Branch | Program | None]:
    """Coefficients of the scale with a gradient, and the program of its inflation.

    Parameters
    ----------
    noise : Noise
        The noise model.

    Returns
    -------
    names : tuple of str
        Names, the late scale first.
    code : Branch, Program or None
        Outputs: the inflation, then its derivatives with respect to the other coefficients; None if
        there are none.
    """
    half = np.float64(0.5)
    values = {parameter.name: half for parameter in noise.parameters}
    names = tuple(noise.coefficients(values, {"is_cpt": half}))
    if len(names) == 1:
        return names, None
    code = derive(noise.inflation, names[1:], {"fraction": True}, names[1:], "noise_")
    return names, code
