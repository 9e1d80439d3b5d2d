"""NumPy arithmetic for one equation on many plans, without the work that changes nothing.

The law is written once, for arrays of any kind. Written out for every plan and draw it would take
the logarithm of 1 for each, blend in responses of weight 0, and repeat what only depends on the
draw. `Folding` stands in for the ``numpy`` that the law's functions are handed: its values fold
0 x, 1 x and x + 0, find an operation on the same operands done already, and write into arrays that
are used again for the next plans. Every number is the one that NumPy gives.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
# An operation and its operands.
Key = tuple[Any, ...]

# Worth more than the memory that keeps their results.
SLOW = (np.exp, np.expm1, np.log, np.log1p)


class Folding:
    """What the law's functions see as ``xp``, for one thread.

    A value is by draw, shape (draws,), or belongs to the plans at hand, shape (plans, 1) or
    (plans, draws). What follows from values by draw alone is kept until the object goes; of the
    rest, exponentials and logarithms until `next_plans`.
    """

    def __init__(self) -> None:
        self._results: dict[Key, Value] = {}
        self._lasting: dict[Key, Value] = {}
        # Two results of one operation on the same operands are the same value.
        self._numbers: dict[Key, int] = {}
        self._count = 0
        self._free: dict[tuple[int, ...], list[Array]] = {}

    def by_draw(self, values: Array) -> Value:
        """Value that holds for all plans.

        Parameters
        ----------
        values : ndarray, shape (draws,)
            Such as the draws of a parameter.

        Returns
        -------
        Value
        """
        return Value(self, values, self._next(), lasting=True)

    def of_plans(self, values: Array) -> Value:
        """Value of the plans at hand.

        Parameters
        ----------
        values : ndarray, shape (plans, 1) or (plans, draws)
            Such as their replay ratios.

        Returns
        -------
        Value
        """
        return Value(self, values, self._next(), lasting=False)

    def next_plans(self) -> None:
        """Forget the plans at hand; their arrays are written over."""
        self._results.clear()
        self._numbers.clear()

    def exp(self, x: Any) -> Any:  # numpydoc ignore=PR01,RT01
        """``numpy.exp``."""
        return self.apply(np.exp, x)

    def expm1(self, x: Any) -> Any:  # numpydoc ignore=PR01,RT01
        """``numpy.expm1``."""
        return self.apply(np.expm1, x)

    def log(self, x: Any) -> Any:  # numpydoc ignore=PR01,RT01
        """``numpy.log``."""
        return self.apply(np.log, x)

    def log1p(self, x: Any) -> Any:  # numpydoc ignore=PR01,RT01
        """``numpy.log1p``."""
        return self.apply(np.log1p, x)

    def maximum(self, x: Any, y: Any) -> Any:  # numpydoc ignore=PR01,RT01
        """``numpy.maximum``."""
        return self.apply(np.maximum, x, y)

    def apply(self, ufunc: np.ufunc, *operands: Any) -> Any:
        """Result of a ufunc, found or computed.

        Parameters
        ----------
        ufunc : numpy.ufunc
            Of one or two operands.
        *operands : Value or float
            At most one float of two.

        Returns
        -------
        Value or float
            A float of floats.
        """
        values = [x for x in operands if isinstance(x, Value)]
        if not values:
            return float(ufunc(*operands))
        key = (ufunc, *((x.number if isinstance(x, Value) else (x,)) for x in operands))
        lasting = all(x.lasting for x in values)
        results = self._lasting if lasting else self._results
        if key in results:
            return results[key]
        arrays = [x.array if isinstance(x, Value) else x for x in operands]
        made = self._value(values, self._number(key), lasting)
        made.array = ufunc(*arrays, out=made.array)
        if lasting or ufunc in SLOW:
            results[key] = made
        return made

    def less(self, x: Value, limit: float) -> Any:
        """1 where smaller and 0 elsewhere; the number 0 where nothing is smaller.

        Parameters
        ----------
        x : Value
            Left side.
        limit : float
            Right side.

        Returns
        -------
        Value or float
        """
        key = (np.less, x.number, (limit,))
        if x.lasting and key in self._lasting:
            return self._lasting[key]
        if x.array.min() >= limit:
            return 0.0
        made = self._value([x], self._number(key), x.lasting)
        made.array = np.less(x.array, limit, out=made.array, dtype=bool, casting="unsafe")
        if x.lasting:
            self._lasting[key] = made
        return made

    def recycle(self, array: Array) -> None:
        """Take back an array that nobody reads any more.

        Parameters
        ----------
        array : ndarray, shape (plans, draws)
            Made by `apply`.
        """
        self._free.setdefault(array.shape, []).append(array)

    def _value(self, operands: list[Value], number: int, lasting: bool) -> Value:
        """Value with room for its numbers."""
        shape = np.broadcast_shapes(*(x.array.shape for x in operands))
        free = self._free.get(shape)
        array = free.pop() if free else np.empty(shape)
        return Value(self, array, number, lasting, own=True)

    def _number(self, key: Key) -> int:
        """Number of the result of an operation."""
        if key not in self._numbers:
            self._numbers[key] = self._next()
        return self._numbers[key]

    def _next(self) -> int:
        self._count += 1
        return self._count


class Value:
    """An array in a folded computation; made by `Folding`.

    Parameters
    ----------
    folding : Folding
        Where its results are kept.
    array : ndarray, shape (draws,), (plans, 1) or (plans, draws)
        Its numbers.
    number : int
        Values of one number are the same.
    lasting : bool
        Whether it holds for all plans.
    own : bool
        Whether its array goes back to the folding when the value goes.
    """

    __slots__ = ("_finite", "array", "folding", "lasting", "number", "own")
    # NumPy leaves mixed operations to this class.
    __array_ufunc__ = None

    def __init__(
        self, folding: Folding, array: Array, number: int, lasting: bool, own: bool = False
    ) -> None:
        self.folding, self.array, self.number = folding, array, number
        self.lasting, self.own = lasting, own
        self._finite: bool | None = None

    def __del__(self) -> None:
        if self.own and not self.lasting:
            self.folding.recycle(self.array)

    def __add__(self, other: Any) -> Any:
        return self if _is(other, 0.0) else self.folding.apply(np.add, self, other)

    __radd__ = __add__

    def __sub__(self, other: Any) -> Any:
        return self if _is(other, 0.0) else self.folding.apply(np.subtract, self, other)

    def __rsub__(self, other: Any) -> Any:
        return self.folding.apply(np.subtract, other, self)

    @property
    def finite(self) -> bool:
        """Whether 0 times it is 0: a NaN must not get lost."""
        if self._finite is None:
            self._finite = bool(np.isfinite(self.array).all())
        return self._finite

    def __mul__(self, other: Any) -> Any:
        if _is(other, 0.0) and self.finite:
            return 0.0
        return self if _is(other, 1.0) else self.folding.apply(np.multiply, self, other)

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Any:
        return self if _is(other, 1.0) else self.folding.apply(np.divide, self, other)

    def __rtruediv__(self, other: Any) -> Any:
        nothing = _is(other, 0.0) and self.finite and bool(self.array.all())
        return 0.0 if nothing else self.folding.apply(np.divide, other, self)

    def __neg__(self) -> Any:
        return self.folding.apply(np.negative, self)

    def __abs__(self) -> Any:
        return self.folding.apply(np.absolute, self)

    def __lt__(self, limit: float) -> Any:
        return self.folding.less(self, limit)


def _is(x: Any, number: float) -> bool:
    return isinstance(x, float | int) and x == number
