"""The compiled pass as PyTensor operations: the log density, and the expected loss."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import pytensor.tensor as pt

from bayescpt.laws.law import Law
from bayescpt.laws.noise import Noise
from bayescpt.model.compiled import linear
from bayescpt.model.compiled.assemble import density_source, function_of, mean_source
from bayescpt.model.compiled.kernel import Differentiable, Kernel
from bayescpt.model.compiled.layout import Layout, layout, noise_code


@cache
def _function(source: str, name: str) -> Any:
    return function_of(source, name)


class CurveDensity(Differentiable):
    """Log density of the losses: the law by segment, with independent normal noise.

    Inputs: coefficients with a gradient, those of the noise (segment,); weights of each basis
    (node,); fixed coefficients (segment,); mix (column, node) and columns (column, place) of each
    basis; segment features (segment,); row features (obs,); is_cpt (segment,); fraction, loss
    (obs,); first row (segment,); place (obs,), consecutive along a segment.
    Outputs: the density (1,), its gradient by segment (k, segment) and by the weights of each basis
    (node,).

    Parameters
    ----------
    layout : Layout
        Layout of the law.
    noise : Noise
        Independent normal noise.
    """

    def __init__(self, layout: Layout, noise: Noise) -> None:
        self.text = density_source(layout, noise)
        self.function = _function(self.text, "density")
        names, _ = noise_code(noise)
        self.n_segment, self.n_bases = len(layout.by) + len(names), len(layout.bases)
        self.outputs = (pt.dvector, pt.dmatrix, *[pt.dvector] * self.n_bases)
        self.differentiable = tuple(range(self.n_segment + self.n_bases))

    def _shapes(self, shapes: list[Any]) -> list[Any]:
        weights = shapes[self.n_segment : self.n_segment + self.n_bases]
        return [(1,), (self.n_segment, shapes[0][0]), *weights]

    def _back(self, inputs: Any, partials: Any, cotangent: Any) -> list[Any]:
        by_segment, *by_weight = partials
        scale = cotangent[0]
        slopes = [scale * by_segment[k] for k in range(self.n_segment)]
        return [*slopes, *(scale * one for one in by_weight)]


class CurveMean(Differentiable):
    """Expected loss of every row.

    Inputs: coefficients with a gradient (segment,); weights of the columns of each basis (column,);
    fixed coefficients (segment,); columns (column, place) of each basis; segment features
    (segment,); row features (obs,); is_cpt (segment,); first row (segment,); place (obs,).
    Outputs: the mean (obs,) and the partial derivatives that the gradient needs (k, obs).

    Parameters
    ----------
    layout : Layout
        Layout of the law.
    """

    def __init__(self, layout: Layout) -> None:
        self.text = mean_source(layout)
        self.function = _function(self.text, "mean")
        self.outputs = (pt.dvector, pt.dmatrix)
        self.n_segment, self.n_bases = len(layout.by), len(layout.bases)
        self.differentiable = tuple(range(self.n_segment + self.n_bases))
        self.first_basis = self.n_segment + self.n_bases + len(layout.fixed)

    def _shapes(self, shapes: list[Any]) -> list[Any]:
        rows = shapes[-1]
        return [rows, (self.n_segment - 1 + self.n_bases, rows[0])]

    def _back(self, inputs: Any, partials: Any, cotangent: Any) -> list[Any]:
        (partials,) = partials
        *_, first, place = inputs
        by_segment = SegmentSums()(cotangent, partials[: self.n_segment - 1], first)
        slopes = [by_segment[-1], *(by_segment[k] for k in range(self.n_segment - 1))]
        for k in range(self.n_bases):
            columns = inputs[self.first_basis + k]
            by_row = cotangent * partials[self.n_segment - 1 + k]
            by_place = PlaceSums()(by_row, place, columns)
            slopes.append((columns * by_place[None, :]).sum(axis=1))
        return slopes


class SegmentSums(Kernel):
    """Sums over the rows of each segment, see `bayescpt.model.compiled.linear.segment_sums`."""

    text, function = "segment_sums", staticmethod(linear.segment_sums.py_func)
    outputs = (pt.dmatrix,)

    def _shapes(self, shapes: list[Any]) -> list[Any]:
        return [(shapes[1][0] + 1, shapes[2][0])]


class PlaceSums(Kernel):
    """Sums over the rows of each place, see `bayescpt.model.compiled.linear.place_sums`."""

    text, function = "place_sums", staticmethod(linear.place_sums.py_func)
    outputs = (pt.dvector,)

    def _shapes(self, shapes: list[Any]) -> list[Any]:
        return [(shapes[2][1],)]


def curve_density(
    law: Law,
    noise: Noise,
    c: Mapping[str, Mapping[str, Any]],
    scale: Mapping[str, Any],
    weights: Mapping[str, Any],
    data: Mapping[str, Any],
) -> Any:
    """Log density of all rows.

    Parameters
    ----------
    law : Law
        The law.
    noise : Noise
        Independent normal noise.
    c : Mapping
        Output of `Law.coefficients`, shape (segment,).
    scale : Mapping
        Output of `Noise.coefficients`, shape (segment,).
    weights : Mapping
        Output of `Law.weights`, shape (node,) by basis.
    data : Mapping
        Containers of the model by name.

    Returns
    -------
    TensorVariable, shape ()
    """
    plan = layout(law)
    like = data["segment_is_cpt"]
    density, *_ = CurveDensity(plan, noise)(
        *_coefficients(plan.by, c, like),
        *(_by_segment(value, like) for value in scale.values()),
        *(weights[name] for name in plan.bases),
        *_coefficients(plan.fixed, c, like),
        *(data[f"mix_{name}"] for name in plan.bases),
        *(data[f"basis_{name}"] for name in plan.bases),
        *(data[f"segment_{name}"] for name in plan.segment_features),
        *(data[f"row_{name}"] for name in plan.row_features),
        like,
        data["row_fraction"],
        data["observed"],
        data["segment_first"],
        data["row_place"],
    )
    return density[0]


def curve_mean(
    law: Law,
    c: Mapping[str, Mapping[str, Any]],
    weights: Mapping[str, Any],
    data: Mapping[str, Any],
) -> Any:
    """Expected loss of every row.

    Parameters
    ----------
    law : Law
        The law.
    c : Mapping
        Output of `Law.coefficients`, shape (segment,).
    weights : Mapping
        Weights of the columns of each basis, shape (column,).
    data : Mapping
        Containers of the model by name.

    Returns
    -------
    TensorVariable, shape (obs,)
    """
    plan = layout(law)
    like = data["segment_is_cpt"]
    mean, _ = CurveMean(plan)(
        *_coefficients(plan.by, c, like),
        *(weights[name] for name in plan.bases),
        *_coefficients(plan.fixed, c, like),
        *(data[f"basis_{name}"] for name in plan.bases),
        *(data[f"segment_{name}"] for name in plan.segment_features),
        *(data[f"row_{name}"] for name in plan.row_features),
        like,
        data["segment_first"],
        data["row_place"],
    )
    return mean


def _coefficients(
    keys: tuple[tuple[str, str], ...], c: Mapping[str, Mapping[str, Any]], like: Any
) -> list[Any]:
    return [_by_segment(c[slot][name], like) for slot, name in keys]


def _by_segment(value: Any, like: Any) -> Any:
    """One number per segment, even if a coefficient is shared by all."""
    value = pt.as_tensor(value)
    return value if value.ndim else value + pt.zeros_like(like)
