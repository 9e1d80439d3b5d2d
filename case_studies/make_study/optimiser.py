"""Updates of a stack of runs: AdamW, and Muon for the matrices of the blocks."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

BETA_1 = 0.9
BETA_2 = 0.95
WEIGHT_DECAY = 0.1
CLIP = 1.0
MOMENTUM = 0.95  # of Muon
RMS = 0.2  # Muon's update is scaled to the root mean square that AdamW's usually has
NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)


@dataclass
class Constants:
    """What differs between the optimisers of the runs of a stack.

    Parameters
    ----------
    weight_decay, beta_2 : Tensor of float32, shape (runs,)
        AdamW's constants of each run.
    """

    weight_decay: Tensor
    beta_2: Tensor

    @classmethod
    def usual(cls, runs: int, device: torch.device | str = "cpu") -> Constants:
        """The fleet's."""
        return cls(
            torch.full((runs,), WEIGHT_DECAY, device=device),
            torch.full((runs,), BETA_2, device=device),
        )


def clip_(gradient: Tensor) -> None:
    """Clip each run's gradient to the norm `CLIP`, in place."""
    norm = torch.linalg.vector_norm(gradient, dim=1)
    gradient.mul_((CLIP / (norm + 1e-6)).clamp(max=1.0)[:, None])


def adamw_(
    weights: Tensor,
    moments: tuple[Tensor, Tensor],
    count: Tensor,
    gradient: Tensor,
    lr: Tensor,
    constants: Constants,
) -> None:
    """One AdamW update of every run, in place.

    Parameters
    ----------
    weights : Tensor of float32, shape (runs, n_values)
        Weights.
    moments : (Tensor, Tensor), each of shape (runs, n_values)
        First and second moment.
    count : Tensor, shape (runs,)
        Updates behind the moments, this one included.
    gradient : Tensor, shape (runs, n_values)
        Gradient; it is overwritten.
    lr : Tensor, shape (runs,)
        Learning rate of each run.
    constants : Constants
        Weight decay and second beta of each run.
    """
    first, second = moments
    beta_2 = constants.beta_2
    first.lerp_(gradient, 1 - BETA_1)
    second.mul_(beta_2[:, None]).add_(gradient.square_().mul_((1 - beta_2)[:, None]))
    bias_1 = 1 - BETA_1**count
    bias_2 = 1 - beta_2**count
    scale = (second / bias_2[:, None]).sqrt_().add_(1e-8)
    weights.mul_((1 - lr * constants.weight_decay)[:, None])
    weights.sub_(first.div(scale).mul_((lr / bias_1)[:, None]))


def muon_(
    weights: Tensor,
    momentum: Tensor,
    gradient: Tensor,
    lr: Tensor,
    constants: Constants,
    shapes: list[tuple[int, ...]],
) -> None:
    """One Muon update of matrices, in place (Nesterov momentum, Newton-Schulz in five steps).

    Parameters
    ----------
    weights, momentum, gradient : Tensor of float32, shape (runs, n_values)
        Matrices of each run, one after another, their momentum and their gradient.
    lr : Tensor, shape (runs,)
        Learning rate of each run; an update has the root mean square `RMS` times it.
    constants : Constants
        Weight decay of each run.
    shapes : list of tuples of int
        Shapes of the matrices. A matrix (d, 3 d) is three of (d, d): query, key and value.
    """
    momentum.lerp_(gradient, 1 - MOMENTUM)
    ahead = gradient.lerp_(momentum, MOMENTUM)
    weights.mul_((1 - lr * constants.weight_decay)[:, None])
    first, runs = 0, weights.shape[0]
    for rows, columns in shapes:
        size = rows * columns
        matrix = ahead[:, first : first + size].view(runs, rows, columns)
        parts = 3 if columns == 3 * rows else 1
        pieces = [orthogonal(part) for part in matrix.chunk(parts, dim=2)]
        scale = RMS * max(rows, columns // parts) ** 0.5
        update = torch.cat(pieces, dim=2).reshape(runs, size)
        weights[:, first : first + size].sub_(update * (scale * lr)[:, None])
        first += size


def orthogonal(matrices: Tensor) -> Tensor:
    """The nearest matrices with singular values near 1, shape (runs, rows, columns)."""
    a, b, c = NEWTON_SCHULZ
    x = matrices if matrices.shape[1] <= matrices.shape[2] else matrices.transpose(1, 2)
    x = x / (torch.linalg.matrix_norm(x, keepdim=True) + 1e-7)
    for _ in range(5):
        gram = x @ x.transpose(1, 2)
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x if matrices.shape[1] <= matrices.shape[2] else x.transpose(1, 2)
