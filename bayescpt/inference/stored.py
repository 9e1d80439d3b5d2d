"""Compiled samplers on disk: half a minute of compilation is read back in a second.

Numba caches the kernels of a model, but not the function that joins them, which takes most of the
compilation time. Its machine code is self-contained, though: with the sizes and names that nutpie
needs, it makes a sampler without PyMC, PyTensor or a compiler. It is read only by the same package
versions, on the same kind of processor and for the same sources; only from a folder that nobody
else can write, and if its digest is that of its content; and is used only if it reproduces the
density recorded when it was written. A file whose loading ended the process is deleted.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
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

from bayescpt.files import write_bytes
from bayescpt.inference.plain_values import dump_values, load_values
from bayescpt.inference.private_files import crashed, loading, read_private, writable_by_others
from bayescpt.inference.sealed import seal, unseal
from bayescpt.inference.start import Centred, log_density

Floats = NDArray[np.float64]

# Environment variable: folder to use instead of the user's cache; empty disables the cache.
VARIABLE = "BAYESCPT_CACHE"
# Number of samplers cached, at two megabytes each; the least recently used are deleted.
KEPT = 32
_MARK = b"bayescpt compiled sampler 1\n"
_VERSIONS = (
    "bayescpt", "llvmlite", "numba", "numpy", "nutpie", "pandas", "pymc", "pytensor", "scipy",
)  # fmt: skip
# Sources that the density depends on.
_SOURCES = (
    *("laws", "model", "data/areas.py", "inference/compile.py", "inference/stored.py"),
    "inference/plain_values.py",
    "inference/reading.py",
)
# Fields of nutpie's sampler that are rebuilt on reading or useless without PyMC.
_NOT_KEPT = {
    "compiled_logp_func",
    "compiled_expand_func",
    "initial_point_func",
    "shared_var_keys",
    "user_data",
    "logp_func",
    "expand_func",
}
# Raised by damaged or foreign files, or other nutpie or numba versions; then recompile.
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
)


def sources_digest(root: Path) -> bytes:
    """Digest of the source files that the density depends on.

    Parameters
    ----------
    root : Path
        Folder of the package.

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


# Taken at import: the files may change while this process runs.
SOURCES = sources_digest(Path(__file__).parents[1])


@dataclass(frozen=True)
class SharedName:
    """Name of a data container, standing in for PyTensor's variable.

    Attributes
    ----------
    name : str
        Name in the model.
    """

    name: str


class NativeFunction:
    """A C function compiled by numba and read from disk.

    Parameters
    ----------
    code : tuple
        From `numba.core.codegen.CodeLibrary.serialize_using_object_code`.
    name : str
        Symbol of the function.
    """

    def __init__(self, code: tuple[Any, ...], name: str) -> None:
        from numba.core.registry import cpu_target
        from numba.core.runtime.nrt import rtsys

        context = cpu_target.target_context
        # The parts of numba that the code calls must exist before linking.
        context.refresh()
        rtsys.initialize(context)
        self._library = context.codegen().unserialize_library(code)
        self.address: int = self._library.get_pointer_to_function(name)

    @cached_property
    def ctypes(self) -> Any:
        """The log density as a `ctypes` function of size, point, gradient, value and user data."""
        doubles = ctypes.POINTER(ctypes.c_double)
        arguments = (ctypes.c_uint64, doubles, doubles, doubles, ctypes.c_void_p)
        return ctypes.CFUNCTYPE(ctypes.c_int64, *arguments)(self.address)


def standalone(library: Any, name: str) -> tuple[tuple[Any, ...], str]:
    """Self-contained machine code of a function.

    Otherwise the linker may use a helper of the same name that the process already has, compiled to
    other instructions and differing in the last bits; draws would then differ from those of a
    process that reads the code from disk.

    Parameters
    ----------
    library : numba CodeLibrary
        Library with the function and its callees.
    name : str
        Symbol of the function.

    Returns
    -------
    code : tuple
        Input of `NativeFunction`.
    name : str
        Its new, unique symbol.
    """
    from llvmlite import binding

    module = binding.parse_bitcode(library._final_module.as_bitcode())
    for part in (*module.functions, *module.global_variables):
        if not part.is_declaration and part.name != name:
            part.linkage = "internal"
    unique = f"bayescpt_{uuid4().hex}"
    module.get_function(name).name = unique
    code = library.codegen._tm.emit_object(module)
    return (unique, "object", (code, module.as_bitcode())), unique


def cache_folder() -> Path | None:
    """Folder of compiled samplers, whether or not it exists.

    Returns
    -------
    Path or None
        None if the cache is disabled.
    """
    given = os.environ.get(VARIABLE)
    if given == "":
        return None
    from platformdirs import user_cache_path

    return user_cache_path("bayescpt") if given is None else Path(given)


def cache_refusal() -> str:
    """Why the cache folder is not used.

    Returns
    -------
    str
        Empty unless others than this user can write it: what lies in it is run as machine code.
    """
    folder = cache_folder()
    if folder is None or not writable_by_others(folder):
        return ""
    return (
        f"{folder} is not used as a cache, as other users can write it; `chmod go-w {folder}` "
        f"if it is yours, or name another in {VARIABLE}"
    )


def sampler_file(key: tuple[Any, ...]) -> Path | None:
    """Path of a compiled sampler, whether or not it exists.

    Parameters
    ----------
    key : tuple
        What the sampler depends on besides sources, versions and machine; hashed by its repr.

    Returns
    -------
    Path or None
        None if the cache is disabled, or others can write its folder.
    """
    folder = cache_folder()
    if folder is None or writable_by_others(folder):
        return None
    from numba.core.registry import cpu_target

    machine = cpu_target.target_context.codegen().magic_tuple()
    versions = tuple(version(name) for name in _VERSIONS)
    text = repr((key, machine, versions, sys.version, SOURCES))
    return folder / f"{hashlib.sha256(text.encode()).hexdigest()}.sampler"


def read_sampler(file: Path) -> Any:
    """Read a compiled sampler.

    Parameters
    ----------
    file : Path
        Output of `sampler_file`.

    Returns
    -------
    nutpie CompiledPyMCModel or None
        Sampler with the data it was compiled with; None if there is no working one.
    """
    if crashed(file):
        with suppress(OSError):
            file.unlink()
        return None
    packed = read_private(file)
    if packed is None:
        return None
    # Mark it as recently used.
    with suppress(OSError):
        os.utime(file)
    with loading(file):
        return unpack_sampler(packed)


def unpack_sampler(packed: bytes) -> Any:
    """Restore a sampler from its machine code.

    Parameters
    ----------
    packed : bytes
        Output of `pack_sampler`.

    Returns
    -------
    nutpie CompiledPyMCModel or None
        Sampler with the data it was compiled with; None if it does not work.
    """
    try:
        from nutpie.compile_pymc import CompiledPyMCModel, update_user_data

        kept = load_values(unseal(packed, _MARK))
        names = {SharedName(name): key for name, key in kept["shared_names"].items()}
        layout = np.zeros((), kept["layout"])
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
        # With a tolerance: the packed sampler may have called differently compiled helpers.
        same = np.isclose(value, kept["value"], rtol=1e-10) and np.allclose(
            gradient, kept["gradient"], rtol=1e-8, atol=1e-8 * np.abs(kept["gradient"]).max()
        )
    except _BROKEN:
        return None
    return sampler if same else None


def write_sampler(file: Path, packed: bytes) -> bool:
    """Write a compiled sampler atomically.

    Parameters
    ----------
    file : Path
        Output of `sampler_file`.
    packed : bytes
        Output of `pack_sampler`.

    Returns
    -------
    bool
        False if the folder is not writable.
    """
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_bytes(file, packed, mode=0o600)
    except OSError:
        return False
    # Another process may be deleting them too.
    with suppress(OSError):
        written = sorted(file.parent.glob("[!.]*.sampler"), key=lambda one: one.stat().st_mtime)
        for old in written[:-KEPT]:
            old.unlink(missing_ok=True)
    return True


def pack_sampler(sampler: Any) -> bytes | None:
    """Pack the machine code of a sampler with everything needed to restore it.

    Parameters
    ----------
    sampler : nutpie CompiledPyMCModel
        Sampler compiled in this process, with a `Centred` initial point.

    Returns
    -------
    bytes or None
        None if the code contains addresses of this process.
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
        return seal(dump_values(kept), _MARK)
    except _BROKEN:
        return None
