"""How compiled samplers read the data of a study, compiled in seconds.

A compiled log density takes the addresses of its data from a record that nutpie fills. nutpie's own
code for that is an unrolled loop over the fields, whose types numba infers again for each of them:
a third of the time that a sampler takes to compile. Here it is written out, a line an array.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

# Parameters of nutpie's function that is replaced; one with others is left alone.
_PARAMETERS = ["inner", "shared_data", "shared_var_keys", "record_dtype"]
_WORD = 8


@contextmanager
def quick_reading() -> Iterator[None]:
    """Let nutpie compile the code that reads data in this form. Not thread-safe, as compilation."""
    from nutpie import compile_pymc

    theirs = getattr(compile_pymc, "make_extraction_fn", None)
    if theirs is None or list(inspect.signature(theirs).parameters) != _PARAMETERS:
        yield
        return

    def _reading(
        inner: Callable[..., Any],
        shared_data: Mapping[str, Any],
        shared_var_keys: list[str],
        record_dtype: np.dtype[Any],
    ) -> Callable[..., Any]:
        if shared_var_keys and whole_words(record_dtype):
            return reading(inner, shared_data, shared_var_keys, record_dtype)
        made: Callable[..., Any] = theirs(inner, shared_data, shared_var_keys, record_dtype)
        return made

    compile_pymc.make_extraction_fn = _reading
    try:
        yield
    finally:
        compile_pymc.make_extraction_fn = theirs


def whole_words(record: np.dtype[Any]) -> bool:
    """Whether a record holds nothing but integers of eight bytes, at their places.

    Parameters
    ----------
    record : dtype
        The record.

    Returns
    -------
    bool
    """
    if record.subdtype is not None:
        return whole_words(record.subdtype[0])
    if record.fields is None:
        return record.kind in "iu" and record.itemsize == _WORD
    return all(at % _WORD == 0 and whole_words(kind) for kind, at, *_ in record.fields.values())


def reading(
    inner: Callable[..., Any],
    shared_data: Mapping[str, Any],
    shared_var_keys: list[str],
    record_dtype: np.dtype[Any],
) -> Callable[..., Any]:
    """Compiled function that calls another with the arrays whose addresses are in a record.

    Parameters
    ----------
    inner : callable
        Compiled function of a point and of the arrays.
    shared_data : Mapping of str to ndarray
        Arrays of the same types and numbers of dimensions.
    shared_var_keys : list of str
        Keys of the arrays, in the order in which `inner` takes them.
    record_dtype : dtype
        Record with the fields ``shared.data`` (addresses) and ``shared.shape`` by key.

    Returns
    -------
    callable
        Of the point and of a pointer to the record.
    """
    from numba import carray, njit  # type: ignore[attr-defined]

    scope: dict[str, Any] = {"inner": inner, "array": carray, "pointer": pointer_of()}
    scope["word"] = np.uint64
    lines = [f"    record = array(given, ({record_dtype.itemsize // _WORD},), word)"]
    for k, key in enumerate(shared_var_keys):
        value = shared_data[key]
        at, size = (_place(record_dtype, "shared", field, key) for field in ("data", "shape"))
        scope[f"kind{k}"] = value.dtype.type
        shape = "".join(f"record[{size + d}], " for d in range(value.ndim))
        lines.append(f"    a{k} = array(pointer(record[{at}]), ({shape}), kind{k})")
    arrays = "".join(f", a{k}" for k in range(len(shared_var_keys)))
    source = ["def read(x, given):", *lines, f"    return inner(x{arrays})"]
    exec("\n".join(source), scope)  # noqa: S102 -- written here
    made: Callable[..., Any] = njit(inline="always")(scope["read"])
    return made


def _place(record: Any, *path: str) -> int:
    """Place of an entry of a record, in words."""
    at = 0
    for name in path:
        record, more = record.fields[name][:2]
        at += more
    return at // _WORD


def pointer_of() -> Any:
    """Compiled function that takes an address for a pointer.

    Returns
    -------
    callable
        Of an integer.
    """
    from numba.core import cgutils, types
    from numba.extending import intrinsic

    @intrinsic
    def _pointer(typingctx: Any, address: Any) -> Any:
        def _code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return builder.inttoptr(arguments[0], cgutils.voidptr_t)

        return types.voidptr(address), _code

    return _pointer
