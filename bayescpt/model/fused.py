"""The law's mean and its gradient in one pass over the rows, compiled by numba.

The plain graph of `bayescpt.laws.curve.expected_loss` calls exp and log again for the gradient and
makes an array for every operation. Here the forward pass keeps the partial derivatives it has at
hand, and the vector-Jacobian product is sums over segments. The equation stays in laws/curve.py: a
test holds this to it.
"""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytensor.tensor as pt
from pytensor.gradient import DisconnectedType
from pytensor.graph.basic import Apply
from pytensor.graph.op import Op
from pytensor.link.numba.dispatch.basic import numba_njit, register_funcify_default_op_cache_key

# Arguments by segment that carry gradients; the weights follow them.
N_SEGMENT = 8
N_PARTIALS = 7
# Those and the weights.
_DIFFERENTIABLE = (*range(N_SEGMENT), N_SEGMENT + 1)
SERIES_BELOW = 1e-3
# Sums may be reordered, so that they vectorise; NaN and inf keep their meaning.
FAST = {"reassoc", "contract"}
# PyTensor keeps compiled kernels on disk by this number alone: it must change with their source.
VERSION = zlib.crc32(Path(__file__).read_bytes())


@numba.njit(error_model="numpy", fastmath=FAST)
def _combine(weights: Any, columns: Any) -> Any:
    """Weighted sum of columns (column, obs); rows inside, so that it vectorises."""
    out = np.zeros(columns.shape[1])
    for k in range(weights.shape[0]):
        w = weights[k]
        for i in range(out.shape[0]):
            out[i] += w * columns[k, i]
    return out


@numba.njit(error_model="numpy", fastmath=FAST)
def _project(rows: Any, columns: Any) -> Any:
    """Inner products with columns (column, obs): the transpose of `_combine`."""
    out = np.empty(columns.shape[0])
    for k in range(columns.shape[0]):
        total = 0.0
        for i in range(rows.shape[0]):
            total += rows[i] * columns[k, i]
        out[k] = total
    return out


@numba.njit(error_model="numpy", fastmath=FAST)
def _growth(log_s: Any, beta: Any) -> Any:
    """Growth (1 - exp(-beta log_s)) / beta, its derivatives by beta and by log_s."""
    x = beta * log_s
    f = np.exp(-x)
    if abs(x) < SERIES_BELOW:
        h = log_s * (1.0 - x / 2.0 * (1.0 - x / 3.0 * (1.0 - x / 4.0)))
        k = -log_s * log_s * (0.5 - x * (1.0 / 3.0 - x * (0.125 - x / 30.0)))
    else:
        h = (1.0 - f) / beta
        k = (log_s * f - h) / beta
    return h, k, f


@numba.njit(error_model="numpy", fastmath=FAST)
def _faded_growth(log_s: Any, beta: Any, gamma: Any, keep: Any) -> Any:
    """Growth (w^-gamma - 1) / (gamma beta) and its derivatives by beta, gamma and log_s."""
    memory = (1.0 - keep) * np.exp(-beta * log_s)
    share = keep + memory
    faded = -np.log(share)
    slope = memory / share
    # _growth of the faded share, gamma in the part of -beta.
    h, k, f = _growth(faded, -gamma)
    return h / beta, (f * slope * log_s - h / beta) / beta, -k / beta, f * slope


def _forward(
    level: Any,
    base_ref: Any,
    alpha: Any,
    anneal_ref: Any,
    shift: Any,
    onset: Any,
    beta: Any,
    gamma: Any,
    keep: Any,
    weights: Any,
    basis: Any,
    log_area_start: Any,
    log_area: Any,
    shift_area: Any,
    segment: Any,
) -> Any:
    n = segment.shape[0]
    anneal = _combine(weights, basis)
    mean = np.empty(n)
    partials = np.empty((N_PARTIALS, n))
    first = 0
    while first < n:
        s = segment[first]
        last = first + 1
        while last < n and segment[last] == s:
            last += 1
        a, b, al, c = level[s], base_ref[s], alpha[s], anneal_ref[s]
        la0 = log_area_start[s]
        e0 = np.exp(-al * la0)
        for i in range(first, last):
            la = log_area[i]
            e = np.exp(-al * la)
            partials[0, i] = e - e0
            partials[1, i] = b * (la0 * e0 - la * e)
            partials[6, i] = anneal[i]
            mean[i] = a + b * (e - e0) - c * anneal[i]
        d = shift[s]
        if shift_area[last - 1] == 0.0:  # pre-training
            for i in range(first, last):
                partials[2:6, i] = 0.0
            first = last
            continue
        o, be, ga, ke = onset[s], beta[s], gamma[s], keep[s]
        # Without replay the growth is that of Eq. 4 with the rate -gamma beta.
        rate = -ga * be
        l1 = np.log1p(o)
        h1, k1, f1 = _growth(l1, rate)
        r = 1.0 / h1
        q1 = f1 / (1.0 + o)
        # A target at replay 1 has an onset below the rounding of 1; log is faster elsewhere.
        tiny = o < 1e-3
        for i in range(first, last):
            area = shift_area[i]
            t = 1.0 + o * area
            ls = np.log1p(o * area) if tiny else np.log(t)
            if ke == 0.0:
                h, k, f = _growth(ls, rate)
                by_beta, by_gamma = -ga * k, -be * k
            else:
                h, by_beta, by_gamma, f = _faded_growth(ls, be, ga, ke)
            g = h * r
            mean[i] += d * g
            partials[2, i] = g
            partials[3, i] = d * r * (area * f / t - g * q1)
            partials[4, i] = d * r * (by_beta + g * ga * k1)
            partials[5, i] = d * r * (by_gamma + g * be * k1)
        first = last
    return mean, partials


def _backward(
    cotangent: Any,
    partials: Any,
    segment: Any,
    anneal_ref: Any,
    weights: Any,
    basis: Any,
) -> Any:
    n, n_segments = cotangent.shape[0], anneal_ref.shape[0]
    out = np.zeros((N_SEGMENT, n_segments))
    row = np.empty(n)
    for i in range(n):
        row[i] = -anneal_ref[segment[i]] * cotangent[i]
    by_weight = _project(row, basis)
    first = 0
    while first < n:
        s = segment[first]
        last = first + 1
        while last < n and segment[last] == s:
            last += 1
        s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = 0.0
        for i in range(first, last):
            g = cotangent[i]
            s0 += g
            s1 += g * partials[0, i]
            s2 += g * partials[1, i]
            s3 -= g * partials[6, i]
            s4 += g * partials[2, i]
            s5 += g * partials[3, i]
            s6 += g * partials[4, i]
            s7 += g * partials[5, i]
        out[0, s] += s0
        out[1, s] += s1
        out[2, s] += s2
        out[3, s] += s3
        out[4, s] += s4
        out[5, s] += s5
        out[6, s] += s6
        out[7, s] += s7
        first = last
    return out, by_weight


class CurveMean(Op):
    """Expected loss of every row; `bayescpt.laws.curve.expected_loss` by segment.

    Inputs: level, base_ref, alpha, anneal_ref, shift, onset, beta, gamma, keep (segment,); weights
    (column,); basis (column, obs); log_area_start (segment,); log_area, shift_area, segment (obs,).
    Outputs: the mean (obs,) and the partial derivatives that the gradient needs (7, obs).
    """

    __props__ = ()

    def make_node(self, *inputs: Any) -> Apply:
        """Apply node of the inputs.

        Parameters
        ----------
        *inputs : TensorVariable
            The fifteen inputs.

        Returns
        -------
        Apply
        """
        return Apply(self, [pt.as_tensor(x) for x in inputs], [pt.dvector(), pt.dmatrix()])

    def perform(self, node: Apply, inputs: list[Any], outputs: list[list[Any]]) -> None:
        """Evaluate with the compiled kernel, outside of compiled graphs.

        Parameters
        ----------
        node : Apply
            Not used.
        inputs : list of ndarray
            Values of the inputs.
        outputs : list of list
            Storage of the two outputs.
        """
        outputs[0][0], outputs[1][0] = FORWARD(*inputs)

    def infer_shape(self, node: Apply, shapes: list[Any]) -> list[Any]:
        """Shapes of both outputs from that of the rows.

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
        return [shapes[14], (N_PARTIALS, shapes[14][0])]

    def pullback(self, inputs: Any, outputs: Any, cotangents: Any) -> list[Any]:
        """Vector-Jacobian product by `CurveBack`.

        Parameters
        ----------
        inputs, outputs : sequence of TensorVariable
            Of the node.
        cotangents : sequence of TensorVariable
            Gradient of the cost with respect to the outputs; that of the partials is not used.

        Returns
        -------
        list of TensorVariable
            Gradient with respect to each input; disconnected for the data.
        """
        if isinstance(cotangents[0].type, DisconnectedType):
            return [DisconnectedType()() for _ in inputs]
        weights, basis = inputs[N_SEGMENT + 1 : N_SEGMENT + 3]
        by_segment, by_weight = CurveBack()(
            cotangents[0], outputs[1], inputs[-1], inputs[3], weights, basis
        )
        data = DisconnectedType()
        sizes = [by_segment[k] for k in range(N_SEGMENT)]
        return [*sizes, data(), by_weight, *(data() for _ in range(5))]

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """Only the mean depends on the parameters as far as gradients go.

        Parameters
        ----------
        node : Apply
            The node.

        Returns
        -------
        list of list of bool
            By input, then output.
        """
        return [[k in _DIFFERENTIABLE, False] for k in range(len(node.inputs))]


class CurveBack(Op):
    """Vector-Jacobian product of `CurveMean`: sums over the rows of each segment."""

    __props__ = ()

    def make_node(self, *inputs: Any) -> Apply:
        """Apply node of the inputs.

        Parameters
        ----------
        *inputs : TensorVariable
            The six inputs of `_backward`.

        Returns
        -------
        Apply
        """
        return Apply(
            self,
            [pt.as_tensor(x) for x in inputs],
            [pt.dmatrix(), pt.dvector()],
        )

    def perform(self, node: Apply, inputs: list[Any], outputs: list[list[Any]]) -> None:
        """Evaluate with the compiled kernel, outside of compiled graphs.

        Parameters
        ----------
        node : Apply
            Not used.
        inputs : list of ndarray
            Values of the inputs.
        outputs : list of list
            Storage of the two outputs.
        """
        outputs[0][0], outputs[1][0] = BACKWARD(*inputs)

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
        return [(N_SEGMENT, shapes[3][0]), shapes[4]]


FORWARD = numba.njit(_forward, cache=True, error_model="numpy", fastmath=FAST)
BACKWARD = numba.njit(_backward, cache=True, error_model="numpy", fastmath=FAST)


@register_funcify_default_op_cache_key(CurveMean)
def _funcify_mean(op: CurveMean, node: Apply, **kwargs: Any) -> Any:
    return numba_njit(_forward, error_model="numpy", fastmath=FAST), VERSION


@register_funcify_default_op_cache_key(CurveBack)
def _funcify_back(op: CurveBack, node: Apply, **kwargs: Any) -> Any:
    return numba_njit(_backward, error_model="numpy", fastmath=FAST), VERSION
