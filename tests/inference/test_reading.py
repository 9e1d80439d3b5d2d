"""Code that reads data by their addresses, in the form that compiles quickly."""

import numba
import numpy as np
from nutpie import compile_pymc

from bayescpt.inference.reading import pointer_of, quick_reading, reading, whole_words

DATA = {
    "a": np.arange(6.0).reshape(2, 3),
    "b": np.array(0.5),
    "c": np.array([3, 1, 2], dtype=np.int64),
    "d": np.array([0.25, 0.5], dtype=np.float32),
    "e": np.empty((0, 4)),
}


@numba.njit
def summary(x, a, b, c, d, e):
    return x[0] + a[1, 2] * 10.0 + a.shape[0] + b[()], c[0] * c.sum() + d[1] + e.shape[1] + e.size


def test_arrays_are_read_with_their_types_and_shapes():
    user = compile_pymc.make_user_data({Container(v): k for k, v in DATA.items()}, DATA)
    read = reading(summary, DATA, list(DATA), user.dtype)

    pointer = pointer_of()

    @numba.njit
    def call(x, address):
        return read(x, pointer(address))

    x = np.ones(1)
    assert call(x, user.ctypes.data) == summary(x, *DATA.values())


class Container:
    """What nutpie asks a data container for."""

    def __init__(self, value):
        self.ndim = value.ndim


def test_other_records_and_other_versions_of_nutpie_are_left_alone(monkeypatch):
    assert not whole_words(np.dtype([("shared", [("data", [("a", np.int32)])])]))
    assert not whole_words(np.dtype([("flag", np.int8), ("at", np.uint64)]))

    def theirs(inner, data):
        raise AssertionError

    monkeypatch.setattr(compile_pymc, "make_extraction_fn", theirs)
    with quick_reading():
        assert compile_pymc.make_extraction_fn is theirs


def test_what_is_replaced_is_put_back():
    theirs = compile_pymc.make_extraction_fn
    with quick_reading():
        # Else this version of nutpie is compiled slowly.
        assert compile_pymc.make_extraction_fn is not theirs
    assert compile_pymc.make_extraction_fn is theirs
