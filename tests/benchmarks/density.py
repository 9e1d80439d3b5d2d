"""A compiled sampler's function of log density and gradient, called as the sampler calls it."""

from __future__ import annotations

import ctypes
import warnings
from typing import Any

import numpy as np

from bayescpt.model.build import rows_model
from bayescpt.model.card import Card
from bayescpt.model.rows import Rows
from tests.benchmarks.timing import Call


def plain_sampler(rows: Rows, card: Card) -> Any:
    """The same density compiled from the law's elementwise graph."""
    import nutpie

    model = rows_model(rows, card, fused="nothing")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return nutpie.compile_pymc_model(model, var_names=[v.name for v in model.free_RVs])


class Density:
    """Log density and gradient at a point.

    Attributes
    ----------
    gradient : ndarray, shape (n_dim,)
        Of the last call.
    """

    def __init__(self, sampler: Any) -> None:
        self.sampler = sampler
        self.gradient = np.zeros(sampler.n_dim)
        self._point = np.zeros(sampler.n_dim)
        self._value = np.zeros(1)
        # A raw C call: the ctypes wrapper costs about a microsecond, as a NumPy call does.
        as_double = ctypes.POINTER(ctypes.c_double)
        self._arguments = (
            ctypes.c_uint64(sampler.n_dim),
            self._point.ctypes.data_as(as_double),
            self.gradient.ctypes.data_as(as_double),
            self._value.ctypes.data_as(as_double),
            ctypes.c_void_p(sampler.user_data.ctypes.data),
        )
        self._function = sampler.compiled_logp_func.ctypes

    def start(self, seed: int = 1) -> np.ndarray:
        """A starting point of the sampler."""
        return np.asarray(self.sampler.initial_point_func(seed))

    def at(self, point: np.ndarray) -> Call:
        """Evaluation at a point; gives the log density."""
        self._point[:] = point

        def call() -> float:
            # Through self: the addresses are of arrays that it keeps.
            code = self._function(*self._arguments)
            if code:
                raise ArithmeticError(f"the density could not be evaluated there (code {code})")
            return float(self._value[0])

        return call
