"""PyTensor operations that are one numba kernel: the frame around those of this package."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numba
import pytensor.tensor as pt
from pytensor.graph.basic import Apply
from pytensor.graph.op import Op
from pytensor.link.numba.dispatch.basic import numba_njit, register_funcify_default_op_cache_key

from bayescpt.model import vector_math

# Sums may be reordered, so that they vectorise; NaN and inf keep their meaning.
FAST = {"reassoc", "contract"}


def source_version(file: str) -> int:
    """Digest of what a kernel is compiled from: PyTensor keeps kernels on disk by this alone.

    Parameters
    ----------
    file : str
        Where the kernel stands.

    Returns
    -------
    int
    """
    sources = (file, __file__, str(vector_math.__file__))
    return zlib.crc32(b"".join(Path(source).read_bytes() for source in sources))


def numba_kernel(function: Callable[..., Any]) -> Any:
    """Compile a kernel for use outside of compiled graphs.

    It is not kept on disk: numba would not see that the functions of another file have changed.

    Parameters
    ----------
    function : callable
        The kernel.

    Returns
    -------
    numba dispatcher
    """
    return numba.njit(function, error_model="numpy", fastmath=FAST)


class Kernel(Op):
    """Operation whose outputs one function of arrays gives.

    Attributes
    ----------
    source : callable
        The function, which numba can compile.
    compiled : numba dispatcher
        The same, compiled by `numba_kernel`.
    version : int
        From `source_version`.
    outputs : tuple of callable
        Makes the variable of each output.
    """

    __props__ = ()
    source: ClassVar[Callable[..., Any]]
    compiled: ClassVar[Callable[..., Any]]
    version: ClassVar[int]
    outputs: ClassVar[tuple[Callable[[], Any], ...]]

    def make_node(self, *inputs: Any) -> Apply:
        """Apply node of the inputs.

        Parameters
        ----------
        *inputs : TensorVariable
            Arguments of the function.

        Returns
        -------
        Apply
        """
        return Apply(self, [pt.as_tensor(x) for x in inputs], [make() for make in self.outputs])

    def perform(self, node: Apply, inputs: list[Any], outputs: list[list[Any]]) -> None:
        """Evaluate outside of compiled graphs.

        Parameters
        ----------
        node : Apply
            Not used.
        inputs : list of ndarray
            Values of the inputs.
        outputs : list of list
            Storage of the outputs.
        """
        for storage, value in zip(outputs, self.compiled(*inputs), strict=True):
            storage[0] = value


@register_funcify_default_op_cache_key(Kernel)
def _funcify(op: Kernel, node: Apply, **kwargs: Any) -> Any:
    return numba_njit(op.source, error_model="numpy", fastmath=FAST), op.version
