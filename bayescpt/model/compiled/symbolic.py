"""A term's equation and its partial derivatives as straight-line code, derived by PyTensor.

The equation is evaluated once on scalar symbols. PyTensor differentiates the graph with respect to
the coefficients; segment-level operations are separated from those that vary by row, and each
condition on the segment becomes a branch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytensor
import pytensor.scalar as ps
import pytensor.tensor as pt
from pytensor.tensor.elemwise import Elemwise

from bayescpt.laws import functions
from bayescpt.model.compiled.emitter import Emitter, Program, Undecided


class _RatioSlope(ps.UnaryScalarOp):
    """Derivative of ``expm1(x) / x``."""

    nfunc_spec = None

    def impl(self, x: Any) -> Any:
        """Evaluate on a number, near 0 by the series."""
        if abs(x) < functions.SERIES_BELOW:
            return 0.5 + x * (1.0 / 3.0 + x * (0.125 + x / 30.0))
        return (np.exp(x) - np.expm1(x) / x) / x


class _Ratio(ps.UnaryScalarOp):
    """``expm1(x) / x`` with a custom derivative, as the plain formula cancels."""

    nfunc_spec = None

    def impl(self, x: Any) -> Any:
        """Evaluate on a number."""
        return functions.expm1_ratio(np.float64(x))

    def pullback(self, inputs: Any, outputs: Any, cotangents: Any) -> list[Any]:
        """Return the cotangent times the slope."""
        return [cotangents[0] * _slope(inputs[0])]

    L_op = pullback


_ratio_op = Elemwise(_Ratio(ps.upgrade_to_float, name="expm1_ratio"))
_slope_scalar = _RatioSlope(ps.upgrade_to_float, name="expm1_ratio_slope")
_slope_op = Elemwise(_slope_scalar)


def _slope(x: Any) -> Any:
    return _slope_scalar(x) if isinstance(x, ps.ScalarVariable) else _slope_op(x)


class Symbols:
    """The ``xp`` of a term's equation: PyTensor, with derivatives free of cancellation."""

    expm1_ratio = staticmethod(_ratio_op)

    def __getattr__(self, name: str) -> Any:
        return getattr(pt, name)


@dataclass(frozen=True)
class Branch:
    """Two programs and the condition on the segment that selects between them.

    Attributes
    ----------
    condition : str
        Expression in the scalars of a segment.
    yes, no : Branch or Program
        Evaluated if the condition holds, and otherwise.
    """

    condition: str
    yes: Any
    no: Any


def derive(
    equation: Callable[[Mapping[str, Any], Mapping[str, Any], Any], Any],
    coefficients: Sequence[str],
    features: Mapping[str, bool],
    by: Sequence[str],
    prefix: str,
) -> Branch | Program:
    """Derive the program of an equation and its partial derivatives.

    Parameters
    ----------
    equation : callable
        ``rows(c, f, xp)`` of a term.
    coefficients : sequence of str
        Names in c, each one number per segment.
    features : Mapping of str to bool
        Names in f, and whether each varies by row.
    by : sequence of str
        Coefficients and features with respect to which it is differentiated.
    prefix : str
        Prefix of all names in the code. Inputs are named ``{prefix}c_NAME`` and ``f_NAME``.

    Returns
    -------
    Branch or Program
        Outputs: the value, then the derivatives in the order of `by`.

    Raises
    ------
    NotImplementedError
        If the equation has an operation that the compiled pass does not support.
    """
    c = {name: pt.dscalar(f"{prefix}c_{name}") for name in coefficients}
    f = {name: pt.dscalar(f"f_{name}") for name in features}
    value = pt.as_tensor(equation(c, f, Symbols())).astype("float64")
    variables = [(c | f)[name] for name in by]
    slopes = pytensor.grad(value, variables, disconnected_inputs="ignore") if variables else []
    by_row = {f[name] for name, differs in features.items() if differs}
    return _program([value, *slopes], by_row, {}, prefix)


def _program(
    outputs: list[Any], by_row: set[Any], known: dict[str, bool], prefix: str
) -> Branch | Program:
    """Program given known conditions, or a branch if another condition is needed."""
    emitter = Emitter(by_row, known, prefix)
    try:
        return emitter.program(outputs)
    except Undecided as undecided:
        condition = undecided.condition
        # A name has a single type in numba, so branches use separate names.
        yes, no = (
            _program(outputs, by_row, {**known, condition: held}, f"{prefix}{'yn'[not held]}")
            for held in (True, False)
        )
        return Branch(condition, yes, no)
