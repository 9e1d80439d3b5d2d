"""PyTensor operations that are one numba kernel: the frame around those of this package."""

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
    """Digest of what a kernel is compiled from: PyTensor keeps kernels on disk by this alone.

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
    """Operation whose outputs one function of arrays gives.

    Attributes
    ----------
    text : str
        What tells kernels of one class apart: the source that was assembled for a law.
    function : callable
        The function, which numba can compile.
    outputs : tuple of callable
        Makes the variable of each output.
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

        It is not kept on disk: numba would not see that the functions of another file have changed.
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
    """Kernel whose first output are values, the others partial derivatives for their gradient.

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
            Of the node.
        cotangents : sequence of TensorVariable
            Gradient of the cost with respect to the outputs; those of the partials are not used.

        Returns
        -------
        list of TensorVariable
            Gradient with respect to each input; disconnected for the data.
        """
        found = [DisconnectedType()() for _ in inputs]
        if not isinstance(cotangents[0].type, DisconnectedType):
            gradients = self._back(inputs, outputs[1:], cotangents[0])
            for k, gradient in zip(self.differentiable, gradients, strict=True):
                found[k] = gradient
        return found

    def _back(self, inputs: Any, partials: Any, cotangent: Any) -> list[Any]:
        """Gradients by the differentiable inputs."""
        raise NotImplementedError

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """Only the values depend on the parameters as far as gradients go.

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
    return numba_njit(op.function, error_model="numpy"), source_version(op.text)
