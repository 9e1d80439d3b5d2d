"""NumPy arithmetic for one equation over many plans, without redundant work.

The law is written once, for arrays of any kind. Evaluated naively for every plan and draw, it would
take the logarithm of 1 each time, blend in responses of weight 0, and recompute what depends on the
draw alone. `Folding` stands in for the ``numpy`` module passed to the law's functions: its values
fold 0 x, 1 x and x + 0, reuse the result of an operation already done on the same operands, and
write into arrays that are recycled for the next plans. All results equal those of NumPy.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
# An operation and its operands.
Key = tuple[Any, ...]

# Slow enough that caching their results is worth the memory.
SLOW = (np.exp, np.expm1, np.log, np.log1p)


class Folding:
    """The ``xp`` namespace of the law's functions; not thread-safe.

    A value is either per draw, shape (draws,), or belongs to the current plans, shape (plans, 1) or
    (plans, draws). Results that depend on per-draw values alone are cached for the lifetime of the
    object; of the others, exponentials and logarithms are cached until `next_plans`.
    """

    def __init__(self) -> None:
        self._results: dict[Key, Value] = {}
        self._lasting: dict[Key, Value] = {}
        # The same operation on the same operands always has the same number.
        self._numbers: dict[Key, int] = {}
        self._count = 0
        self._free: dict[tuple[int, ...], list[Array]] = {}

    def by_draw(self, values: Array) -> Value:
        """Per-draw value, shared by all plans.

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
        """Value of the current plans.

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
        """Drop the current plans; their arrays are recycled."""
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
        """Apply a ufunc, or return its cached result.

        Parameters
        ----------
        ufunc : numpy.ufunc
            A ufunc of one or two operands.
        *operands : Value or float
            At most one of two may be a float.

        Returns
        -------
        Value or float
            A float if all operands are floats.
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
        result = self._value(values, self._number(key), lasting)
        result.array = ufunc(*arrays, out=result.array)
        if lasting or ufunc in SLOW:
            results[key] = result
        return result

    def less(self, x: Value, limit: float) -> Any:
        """Indicator of ``x < limit``; the plain number 0 if it is 0 everywhere.

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
        result = self._value([x], self._number(key), x.lasting)
        result.array = np.less(x.array, limit, out=result.array, dtype=bool, casting="unsafe")
        if x.lasting:
            self._lasting[key] = result
        return result

    def recycle(self, array: Array) -> None:
        """Return an array that is no longer needed to the pool.

        Parameters
        ----------
        array : ndarray, shape (plans, draws)
            Allocated by `apply` or `less`.
        """
        self._free.setdefault(array.shape, []).append(array)

    def _value(self, operands: list[Value], number: int, lasting: bool) -> Value:
        """Value with an array allocated for its result."""
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
    """An array in a folded computation; created by `Folding`.

    Parameters
    ----------
    folding : Folding
        Holds the cached results.
    array : ndarray, shape (draws,), (plans, 1) or (plans, draws)
        The data.
    number : int
        Identifier: values with the same number are equal.
    lasting : bool
        Whether it is per draw, and so shared by all plans.
    own : bool
        Whether its array returns to the pool when the value is deleted.
    """

    __slots__ = ("_finite", "array", "folding", "lasting", "number", "own")
    # Makes NumPy defer mixed operations to this class.
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
        """Whether 0 times it is 0; NaN and infinity must propagate."""
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
        is_zero = _is(other, 0.0) and self.finite and bool(self.array.all())
        return 0.0 if is_zero else self.folding.apply(np.divide, other, self)

    def __neg__(self) -> Any:
        return self.folding.apply(np.negative, self)

    def __abs__(self) -> Any:
        return self.folding.apply(np.absolute, self)

    def __lt__(self, limit: float) -> Any:
        return self.folding.less(self, limit)


def _is(x: Any, number: float) -> bool:
    return isinstance(x, float | int) and x == number
