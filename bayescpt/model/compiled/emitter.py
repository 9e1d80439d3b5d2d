"""Straight-line code for rows and segments, generated from a graph of scalar operations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from pytensor.graph.basic import Constant

NUMBER, SEGMENT, ROW = range(3)
# Integer powers up to this exponent become at most ten products.
LARGEST_EXPONENT = 1024


class Undecided(Exception):
    """Raised when an unknown condition on the segment selects between expressions.

    Parameters
    ----------
    condition : str
        Expression in the scalars of a segment.
    """

    def __init__(self, condition: str) -> None:
        super().__init__(condition)
        self.condition = condition


@dataclass(frozen=True)
class Program:
    """Straight-line code.

    Attributes
    ----------
    segment, row : tuple of str
        Assignments that depend only on the segment, and those that vary by row.
    outputs : tuple of Operand
        The value and its partial derivatives.
    singular : bool
        Whether an output may be non-finite on lanes beyond the last row, where inputs are zero.
    """

    segment: tuple[str, ...]
    row: tuple[str, ...]
    outputs: tuple[Operand, ...]
    singular: bool


class Operand(NamedTuple):
    """A number or the name of an assigned value, with the level at which it varies.

    Parameters
    ----------
    level : int
        `NUMBER`, `SEGMENT` or `ROW`.
    text : str
        Code.
    number : float
        Value of a number; NaN for a name.
    """

    level: int
    text: str
    number: float = np.nan

    def is_number(self, value: float) -> bool:
        """Return whether it is the given number."""
        return self.level == NUMBER and self.number == value


def number(value: float) -> Operand:
    """Operand of a number.

    Parameters
    ----------
    value : float
        The number.

    Returns
    -------
    Operand
    """
    return Operand(NUMBER, repr(float(value)), float(value))


class Emitter:
    """Generates the code of graphs, with each distinct operation computed once.

    Parameters
    ----------
    by_row : set of TensorVariable
        Inputs that vary by row; the others belong to the segment.
    known : dict of str to bool
        Conditions on the segment that are already decided.
    prefix : str
        Prefix of assigned names.
    """

    def __init__(self, by_row: set[Any], known: dict[str, bool], prefix: str) -> None:
        self._by_row, self._known, self._prefix = by_row, known, prefix
        self._lines: dict[int, list[str]] = {SEGMENT: [], ROW: []}
        self._done: dict[Any, Operand] = {}
        self._results: dict[Any, Operand] = {}
        # 1 / (1 + x) from computed logarithms, keyed by the operand 1 + x.
        self._inverses: dict[Operand, Operand] = {}
        self._singular = False

    def program(self, outputs: list[Any]) -> Program:
        """Generate the code of output variables.

        Parameters
        ----------
        outputs : list of TensorVariable
            The value, then its partial derivatives.

        Returns
        -------
        Program

        Raises
        ------
        Undecided
            If a condition on the segment is not known.
        """
        operands = tuple(self._visit(variable) for variable in outputs)
        lines = self._lines
        return Program(tuple(lines[SEGMENT]), tuple(lines[ROW]), operands, self._singular)

    def _visit(self, variable: Any) -> Operand:
        if variable in self._done:
            return self._done[variable]
        node = variable.owner
        if isinstance(variable, Constant):
            operand = number(np.asarray(variable.data).item())
        elif node is None:
            level = ROW if variable in self._by_row else SEGMENT
            operand = Operand(level, variable.name)
        else:
            operand = self._apply(operation(node), node.inputs)
        self._done[variable] = operand
        return operand

    def _apply(self, name: str, inputs: list[Any]) -> Operand:
        if name == "Switch":
            return self._switch(*inputs)
        if name in ("Second", "second", "fill"):
            return self._visit(inputs[1])
        if name in ("convert_to_float64", "Identity", "identity", "TensorFromScalar"):
            return self._visit(inputs[0])
        if name not in _RULES:
            raise NotImplementedError(
                f"the compiled pass does not support {name!r}: write the equation with +, -, *, /, "
                f"powers, exp, expm1, log, log1p, sqrt, select and expm1_ratio, or add a rule to "
                f"{__name__}"
            )
        return _RULES[name](self, *(self._visit(one) for one in inputs))

    def _switch(self, condition: Any, yes: Any, no: Any) -> Operand:
        node = condition.owner
        if node is None or operation(node) not in _COMPARISONS:
            raise NotImplementedError("select requires a comparison of two numbers")
        if not self._differs(condition):
            text = self._condition(condition)
            if text not in self._known:
                raise Undecided(text)
            return self._visit(yes if self._known[text] else no)
        left, right, yes, no = (self._visit(one) for one in (*node.inputs, yes, no))
        comparison = operation(node)
        if comparison in ("LE", "GE", "NEQ"):
            # x <= y is the negation of y < x.
            yes, no = no, yes
        if comparison in ("EQ", "NEQ"):
            return self._below(left, right, no, self._below(right, left, no, yes))
        if comparison in ("GT", "LE"):
            left, right = right, left
        return self._below(left, right, yes, no)

    def _below(self, *operands: Operand) -> Operand:
        parts = [self._lanes(one) for one in operands]
        return self._assign(("below", *parts), f"below({', '.join(parts)})", ROW)

    def _differs(self, variable: Any) -> bool:
        """Whether a variable varies by row."""
        node = variable.owner
        if node is None:
            return variable in self._by_row
        return any(self._differs(one) for one in node.inputs)

    def _condition(self, variable: Any) -> str:
        """Expression in the scalars of a segment."""
        if isinstance(variable, Constant):
            return repr(np.asarray(variable.data).item())
        node = variable.owner
        if node is None:
            return f"{variable.name}_of"
        name, parts = operation(node), [self._condition(one) for one in node.inputs]
        if name in _COMPARISONS:
            return f"{parts[0]} {_COMPARISONS[name]} {parts[1]}"
        if name in ("Abs", "abs"):
            return f"abs({parts[0]})"
        if name == "convert_to_float64":
            return parts[0]
        raise NotImplementedError(f"a condition on the segment does not support {name!r}")

    def _lanes(self, value: Operand) -> str:
        return f"spread({value.text})" if value.level == NUMBER else value.text

    def _assign(self, key: Any, code: str, level: int) -> Operand:
        """Result of an operation; adds a line of code unless it was already computed."""
        if key not in self._results:
            name = f"{self._prefix}v{len(self._results)}"
            self._lines[level].append(f"{name} = {code}")
            self._results[key] = Operand(level, name)
        return self._results[key]

    def call(self, function: str, x: Operand) -> Operand:
        """Call a function of lanes.

        Parameters
        ----------
        function : str
            Name in `bayescpt.model.compiled.vector_math`.
        x : Operand
            Argument.

        Returns
        -------
        Operand
        """
        return self._assign((function, x), f"{function}({self._lanes(x)})", max(x.level, SEGMENT))

    def pair(self, function: str, x: Operand) -> tuple[Operand, Operand]:
        """Call a function of lanes with two results.

        Parameters
        ----------
        function : str
            Name in `bayescpt.model.compiled.vector_math`.
        x : Operand
            Argument.

        Returns
        -------
        tuple of Operand
        """
        whole = self._assign((function, x), f"{function}({self._lanes(x)})", max(x.level, SEGMENT))
        first, second = (
            self._assign((function, x, k), f"{whole.text}[{k}]", whole.level) for k in (0, 1)
        )
        return first, second

    def log1p(self, x: Operand) -> Operand:  # numpydoc ignore=PR01,RT01
        """``log1p``; also records 1 / (1 + x)."""
        logarithm, inverse = self.pair("log1p_inverse", x)
        self._inverses[self.add(number(1.0), x)] = inverse
        return logarithm

    def log(self, x: Operand) -> Operand:  # numpydoc ignore=PR01,RT01
        """``log``; non-finite beyond the last row, where x is 0."""
        self._singular |= x.level == ROW
        return self.call("log", x)

    def exp(self, x: Operand) -> Operand:  # numpydoc ignore=PR01,RT01
        """``exp``, from ``expm1`` if already computed."""
        known = self._results.get(("expm1", x))
        return self.add(known, number(1.0)) if known is not None else self.call("exp", x)

    def add(self, *terms: Operand) -> Operand:
        """Sum.

        Parameters
        ----------
        *terms : Operand
            Two or more.

        Returns
        -------
        Operand
        """
        return self._reduce("+", 0.0, terms)

    def multiply(self, *factors: Operand) -> Operand:
        """Product.

        Parameters
        ----------
        *factors : Operand
            Two or more.

        Returns
        -------
        Operand
        """
        if any(factor.is_number(0.0) for factor in factors):
            return number(0.0)
        return self._reduce("*", 1.0, factors)

    def _reduce(self, sign: str, neutral: float, operands: tuple[Operand, ...]) -> Operand:
        """Sum or product; segment-level operands are combined first."""
        total = neutral
        for one in operands:
            if one.level == NUMBER:
                total = total + one.number if sign == "+" else total * one.number
        result = None if total == neutral else number(total)
        for level in (SEGMENT, ROW):
            for one in operands:
                if one.level != level:
                    continue
                result = one if result is None else self._binary(sign, result, one)
        return number(neutral) if result is None else result

    def _binary(self, sign: str, left: Operand, right: Operand) -> Operand:
        level = max(left.level, right.level)
        key = (sign, *(sorted((left, right)) if sign in "+*" else (left, right)))
        return self._assign(key, f"{left.text} {sign} {right.text}", level)

    def subtract(self, left: Operand, right: Operand) -> Operand:  # numpydoc ignore=PR01,RT01
        """Difference."""
        if right.is_number(0.0):
            return left
        if left.level == NUMBER and right.level == NUMBER:
            return number(left.number - right.number)
        return self.negate(right) if left.is_number(0.0) else self._binary("-", left, right)

    def negate(self, x: Operand) -> Operand:  # numpydoc ignore=PR01,RT01
        """Negation."""
        if x.level == NUMBER:
            return number(-x.number)
        return self._assign(("neg", x), f"-{x.text}", x.level)

    def divide(self, left: Operand, right: Operand) -> Operand:  # numpydoc ignore=PR01,RT01
        """Quotient; a product if the reciprocal is known or at segment level."""
        if right.level == NUMBER:
            return self.multiply(left, number(1.0 / right.number))
        if left.is_number(0.0) or left is right:
            return number(0.0 if left.is_number(0.0) else 1.0)
        if right in self._inverses:
            return self.multiply(left, self._inverses[right])
        if right.level == ROW:
            self._singular = True
            return self._binary("/", left, right)
        return self.multiply(left, self._binary("/", number(1.0), right))

    def power(self, base: Operand, exponent: Operand) -> Operand:  # numpydoc ignore=PR01,RT01
        """Power; products for integer exponents, so that the base may be negative."""
        whole = exponent.number.is_integer() and abs(exponent.number) <= LARGEST_EXPONENT
        if exponent.level != NUMBER or not whole:
            return self.exp(self.multiply(exponent, self.log(base)))
        count, result = int(abs(exponent.number)), number(1.0)
        while count:
            result = self.multiply(result, base) if count % 2 else result
            count //= 2
            base = self.multiply(base, base) if count else base
        return self.divide(number(1.0), result) if exponent.number < 0 else result


def operation(node: Any) -> str:
    """Name of the scalar operation of a node.

    Parameters
    ----------
    node : Apply
        Node of a graph.

    Returns
    -------
    str
    """
    op = getattr(node.op, "scalar_op", node.op)
    return str(getattr(op, "name", None) or type(op).__name__)


def _absolute(emitter: Emitter, x: Operand) -> Operand:
    if x.level == NUMBER:
        return number(abs(x.number))
    code = f"below({x.text}, spread(0.0), -{x.text}, {x.text})"
    return emitter._assign(("abs", x), code, x.level)


_COMPARISONS = {"LT": "<", "LE": "<=", "GT": ">", "GE": ">=", "EQ": "==", "NEQ": "!="}
_RULES: dict[str, Callable[..., Operand]] = {
    "add": Emitter.add,
    "mul": Emitter.multiply,
    "sub": Emitter.subtract,
    "neg": Emitter.negate,
    "true_div": Emitter.divide,
    "reciprocal": lambda emitter, x: emitter.divide(number(1.0), x),
    "pow": Emitter.power,
    "sqr": lambda emitter, x: emitter.multiply(x, x),
    "sqrt": lambda emitter, x: emitter.power(x, number(0.5)),
    "Abs": _absolute,
    "exp": Emitter.exp,
    "expm1": lambda emitter, x: emitter.call("expm1", x),
    "log": Emitter.log,
    "log1p": Emitter.log1p,
    "expm1_ratio": lambda emitter, x: emitter.pair("expm1_ratio", x)[0],
    "expm1_ratio_slope": lambda emitter, x: emitter.pair("expm1_ratio", x)[1],
}
