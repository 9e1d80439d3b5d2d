"""Base classes of PyTensor operations implemented as one numba kernel."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numba
import pytensor.tensor as pt
from pytensor.gradient import DisconnectedType
from pytensor.graph.basic import Apply
from pytensor.graph.op import Op
from pytensor.link.numba.dispatch.basic import numba_njit, register_funcify_default_op_cache_key

from bayescpt.model.compiled import lanes, linear, vector_math


@cache
def source_version(text: str) -> int:
    """Digest of the sources of a kernel, the only key of PyTensor's on-disk cache.

    Parameters
    ----------
    text : str
        Source of the kernel.

    Returns
    -------
    int
    """
    files = (__file__, *(str(module.__file__) for module in (lanes, linear, vector_math)))
    parts = [text.encode(), *(Path(file).read_bytes() for file in files)]
    return zlib.crc32(b"".join(parts))


class Kernel(Op):
    """Operation whose outputs are computed by one function of arrays.

    Attributes
    ----------
    text : str
        Identity of a kernel within its class: the source assembled for a law.
    function : callable
        Function, compilable by numba.
    outputs : tuple of callable
        Constructors of the output variables.
    """

    __props__: tuple[str, ...] = ("text",)
    text: str
    function: Callable[..., Any]
    outputs: tuple[Callable[[], Any], ...]

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

    @property
    def compiled(self) -> Any:
        """Return the function, compiled for use outside of compiled graphs.

        It is not cached on disk, as numba would not notice changes to functions in other files.
        """
        return _compiled(self.function)

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
        values = self.compiled(*inputs)
        values = values if isinstance(values, tuple) else (values,)
        for storage, value in zip(outputs, values, strict=True):
            storage[0] = value

    def infer_shape(self, node: Apply, shapes: list[Any]) -> list[Any]:
        """Shapes of the outputs.

        Parameters
        ----------
        node : Apply
            Not used.
        shapes : list of tuple
            Shapes of the inputs.

        Returns
        -------
        list of tuple
        """
        return self._shapes(shapes)

    def _shapes(self, shapes: list[Any]) -> list[Any]:
        raise NotImplementedError


class Differentiable(Kernel):
    """Kernel whose first output is the value; the others are partial derivatives.

    Attributes
    ----------
    differentiable : tuple of int
        Inputs that have a gradient; the others are data.
    """

    differentiable: tuple[int, ...]

    def pullback(self, inputs: Any, outputs: Any, cotangents: Any) -> list[Any]:
        """Vector-Jacobian product.

        Parameters
        ----------
        inputs, outputs : sequence of TensorVariable
            Variables of the node.
        cotangents : sequence of TensorVariable
            Gradient of the cost with respect to the outputs; those of the partials are not used.

        Returns
        -------
        list of TensorVariable
            Gradient with respect to each input; disconnected for the data.
        """
        gradients = [DisconnectedType()() for _ in inputs]
        if not isinstance(cotangents[0].type, DisconnectedType):
            slopes = self._back(inputs, outputs[1:], cotangents[0])
            for k, slope in zip(self.differentiable, slopes, strict=True):
                gradients[k] = slope
        return gradients

    def _back(self, inputs: Any, partials: Any, cotangent: Any) -> list[Any]:
        """Gradients with respect to the differentiable inputs."""
        raise NotImplementedError

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """For gradients, only the first output depends on the differentiable inputs.

        Parameters
        ----------
        node : Apply
            The node.

        Returns
        -------
        list of list of bool
            By input, then output.
        """
        rest = [False] * (len(self.outputs) - 1)
        return [[k in self.differentiable, *rest] for k in range(len(node.inputs))]


@cache
def _compiled(function: Callable[..., Any]) -> Any:
    return numba.njit(function, error_model="numpy")


@register_funcify_default_op_cache_key(Kernel)
def _funcify(op: Kernel, node: Apply, **kwargs: Any) -> Any:
    # Sums in any order would differ from process to process, with where arrays happen to lie.
    function = numba_njit(op.function, error_model="numpy", fastmath=False)
    return function, source_version(op.text)
