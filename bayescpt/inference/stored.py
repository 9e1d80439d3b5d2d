"""Compiled samplers on disk: what took half a minute to compile is read back in a second.

Numba keeps the kernels of a model on disk, but not the function that joins them, whose compilation
takes most of the time. Its machine code stands alone, though: together with the sizes and names
that nutpie asks for, it is a sampler, without PyMC, PyTensor or a compiler. It is only ever read by
the versions, on the kind of processor, and for the sources that it was made with, and not used
unless it gives the density that it gave when it was written.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import pickle
import sys
from contextlib import suppress
from dataclasses import dataclass, fields
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from bayescpt.inference.start import Centred, log_density

Floats = NDArray[np.float64]

# Folder in place of the user's cache; empty to keep nothing.
VARIABLE = "BAYESCPT_CACHE"
# Those least recently used go: two megabytes each.
KEPT = 32
_VERSIONS = (
    "bayescpt", "llvmlite", "numba", "numpy", "nutpie", "pandas", "pymc", "pytensor", "scipy",
)  # fmt: skip
# What the density is made of.
_SOURCES = ("laws", "model", "data/areas.py", "inference/compile.py", "inference/stored.py")
# Of nutpie's sampler: rebuilt on reading, or of no use without PyMC.
_NOT_KEPT = {
    "compiled_logp_func",
    "compiled_expand_func",
    "initial_point_func",
    "shared_var_keys",
    "user_data",
    "logp_func",
    "expand_func",
}
# What a damaged or foreign file gives, or another nutpie or numba: the sampler is then compiled.
_BROKEN = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    ImportError,
    LookupError,
    OSError,
    RuntimeError,
    TypeError,
    SystemError,
    ValueError,
    pickle.PickleError,
)


def sources_digest(root: Path) -> bytes:
    """Digest of the files that the density is made of.

    Parameters
    ----------
    root : Path
        The package.

    Returns
    -------
    bytes
    """
    digest = hashlib.sha256()
    for name in _SOURCES:
        place = root / name
        for file in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            digest.update(file.read_bytes())
    return digest.digest()


# Of what this process runs: the files may change while it does.
SOURCES = sources_digest(Path(__file__).parents[1])


@dataclass(frozen=True)
class SharedName:
    """Name of a data container, in place of PyTensor's variable.

    Attributes
    ----------
    name : str
        As in the model.
    """

    name: str


class NativeFunction:
    """A C function that was compiled by numba and read from disk.

    Parameters
    ----------
    code : tuple
        From `numba.core.codegen.CodeLibrary.serialize_using_object_code`.
    name : str
        Its symbol.
    """

    def __init__(self, code: tuple[Any, ...], name: str) -> None:
        from numba.core.registry import cpu_target
        from numba.core.runtime.nrt import rtsys

        context = cpu_target.target_context
        # What the code calls of numba must be there before it is linked.
        context.refresh()
        rtsys.initialize(context)
        self._library = context.codegen().unserialize_library(code)
        self.address: int = self._library.get_pointer_to_function(name)

    @cached_property
    def ctypes(self) -> Any:
        """The log density as `ctypes` calls it: size, point, gradient, value, user data."""
        doubles = ctypes.POINTER(ctypes.c_double)
        arguments = (ctypes.c_uint64, doubles, doubles, doubles, ctypes.c_void_p)
        return ctypes.CFUNCTYPE(ctypes.c_int64, *arguments)(self.address)


def standalone(library: Any, name: str) -> tuple[tuple[Any, ...], str]:
    """Machine code of a function that takes nothing from where it was compiled.

    A linker takes a helper of the same name that the process has already, of other instructions,
    whose last bits differ: draws would not be those of a process that reads the code from disk.

    Parameters
    ----------
    library : numba CodeLibrary
        Holds the function and what it calls.
    name : str
        Its symbol.

    Returns
    -------
    code : tuple
        For `NativeFunction`.
    name : str
        Its symbol there, unlike that of any other.
    """
    from llvmlite import binding

    module = binding.parse_bitcode(library._final_module.as_bitcode())
    for part in (*module.functions, *module.global_variables):
        if not part.is_declaration and part.name != name:
            part.linkage = "internal"
    alone = f"bayescpt_{uuid4().hex}"
    module.get_function(name).name = alone
    code = library.codegen._tm.emit_object(module)
    return (alone, "object", (code, module.as_bitcode())), alone


def sampler_file(key: tuple[Any, ...]) -> Path | None:
    """File of a compiled sampler, whether it is there or not.

    Parameters
    ----------
    key : tuple
        What the sampler depends on beside sources, versions and machine; by its repr.

    Returns
    -------
    Path or None
        None where nothing is to be kept.
    """
    given = os.environ.get(VARIABLE)
    if given == "":
        return None
    from numba.core.registry import cpu_target
    from platformdirs import user_cache_path

    folder = user_cache_path("bayescpt") if given is None else Path(given)
    machine = cpu_target.target_context.codegen().magic_tuple()
    versions = tuple(version(name) for name in _VERSIONS)
    text = repr((key, machine, versions, sys.version, SOURCES))
    return folder / f"{hashlib.sha256(text.encode()).hexdigest()}.sampler"


def read_sampler(file: Path) -> Any:
    """Read a compiled sampler.

    Parameters
    ----------
    file : Path
        From `sampler_file`.

    Returns
    -------
    nutpie CompiledPyMCModel or None
        With the data it was compiled with; None if there is none that works.
    """
    try:
        packed = file.read_bytes()
        # The files that are in use stay.
        os.utime(file)
    except OSError:
        return None
    return unpack_sampler(packed)


def unpack_sampler(packed: bytes) -> Any:
    """Sampler from its machine code.

    Parameters
    ----------
    packed : bytes
        From `pack_sampler`.

    Returns
    -------
    nutpie CompiledPyMCModel or None
        With the data it was compiled with; None if it does not work.
    """
    try:
        from nutpie.compile_pymc import CompiledPyMCModel, update_user_data

        kept = pickle.loads(packed)  # noqa: S301 -- written by pack_sampler
        names = {SharedName(name): key for name, key in kept["shared_names"].items()}
        layout = np.zeros((), dtype=kept["layout"])
        sampler = CompiledPyMCModel(
            **kept["fields"],
            compiled_logp_func=NativeFunction(*kept["logp"]),
            compiled_expand_func=NativeFunction(*kept["expand"]),
            initial_point_func=Centred(kept["center"]),
            shared_var_keys=names,
            user_data=update_user_data(layout, kept["fields"]["shared_data"]),
            logp_func=None,
            expand_func=None,
        )
        value, gradient = log_density(sampler)(kept["center"])
        # Not to the last bit: what was packed may have called helpers of other instructions.
        same = np.isclose(value, kept["value"], rtol=1e-10) and np.allclose(
            gradient, kept["gradient"], rtol=1e-8, atol=1e-8 * np.abs(kept["gradient"]).max()
        )
    except _BROKEN:
        return None
    return sampler if same else None


def write_sampler(file: Path, packed: bytes) -> bool:
    """Write a compiled sampler, whole or not at all.

    Parameters
    ----------
    file : Path
        From `sampler_file`.
    packed : bytes
        From `pack_sampler`.

    Returns
    -------
    bool
        False where the folder cannot be written.
    """
    draft = file.with_name(f".{file.name}.{uuid4().hex}.part")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        draft.write_bytes(packed)
        os.replace(draft, file)
    except OSError:
        return False
    finally:
        with suppress(OSError):
            draft.unlink()
    # Another process may be doing the same.
    with suppress(OSError):
        written = sorted(file.parent.glob("*.sampler"), key=lambda one: one.stat().st_mtime)
        for old in written[:-KEPT]:
            old.unlink(missing_ok=True)
    return True


def pack_sampler(sampler: Any) -> bytes | None:
    """Machine code of a sampler, and what else it takes to use it.

    Parameters
    ----------
    sampler : nutpie CompiledPyMCModel
        Compiled here, with a `Centred` start.

    Returns
    -------
    bytes or None
        None where its code holds addresses of this process.
    """
    functions = {"logp": sampler.compiled_logp_func, "expand": sampler.compiled_expand_func}
    try:
        if any(function._library.has_dynamic_globals for function in functions.values()):
            return None
        center = sampler.initial_point_func.center
        value, gradient = log_density(sampler)(center)
        kept: dict[str, Any] = {
            name: standalone(function._library, function.native_name)
            for name, function in functions.items()
        }
        kept |= {
            "fields": {
                one.name: getattr(sampler, one.name)
                for one in fields(sampler)
                if one.name not in _NOT_KEPT
            },
            "shared_names": {key.name: place for key, place in sampler.shared_var_keys.items()},
            "layout": sampler.user_data.dtype,
            "center": center,
            "value": value,
            "gradient": gradient,
        }
        return pickle.dumps(kept)
    except _BROKEN:
        return None
