"""Many small decoders as one: every weight has a leading dimension of runs."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from optimiser import Constants, adamw_, clip_, muon_
from torch import Tensor

VOCABULARY = 1_024
SEQUENCE = 128
HEAD = 32  # width of an attention head
EPSILON = 1e-6  # of RMSNorm; the default depends on the type


@dataclass(frozen=True)
class Shape:
    """A decoder: pre-norm, RMSNorm without gains, GELU, tied embeddings, learned positions."""

    width: int
    layers: int
    sequence: int = SEQUENCE
    optimizer: str = "adamw"  # or "muon", for the matrices of the blocks

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """Shapes of the weights of one run, in their order in its vector."""
        d = self.width
        block = [(d, 3 * d), (d, d), (d, 4 * d), (4 * d, d)]
        return [(VOCABULARY, d), (self.sequence, d), *block * self.layers]

    @property
    def sizes(self) -> list[int]:
        """Numbers of values of the weights."""
        return [math.prod(shape) for shape in self.shapes]

    def initial(self, seed: int) -> Tensor:
        """Weights of one run before training, shape (n_values,), on the CPU."""
        generator = torch.Generator().manual_seed(seed)
        std = 0.5 / math.sqrt(self.width)
        deep = 1 / math.sqrt(2 * self.layers)
        inner = [std, std * deep, std, 0.5 * std * deep]
        stds = [0.02, 0.02, *inner * self.layers]
        parts = [
            torch.randn(size, generator=generator) * std
            for size, std in zip(self.sizes, stds, strict=True)
        ]
        return torch.cat(parts)


def losses(weights: Tensor, tokens: Tensor, shape: Shape) -> Tensor:
    """Mean loss of each run on its own tokens.

    Parameters
    ----------
    weights : Tensor, shape (runs, n_values)
        Weights; their type is that of the computation (float32 or bfloat16).
    tokens : Tensor of int64, shape (runs, sequences, sequence + 1)
        Token ids.
    shape : Shape
        The decoder.

    Returns
    -------
    Tensor of float32, shape (runs,)
        Nats per token.
    """
    runs, sequences, length = tokens.shape
    length -= 1
    d, heads = shape.width, shape.width // HEAD
    views = [
        part.reshape(runs, *size)
        for part, size in zip(weights.split(shape.sizes, dim=1), shape.shapes, strict=True)
    ]
    embeddings, positions = views[:2]
    offsets = torch.arange(runs, device=tokens.device)[:, None, None] * VOCABULARY
    x = F.embedding(tokens[:, :, :-1] + offsets, embeddings.reshape(runs * VOCABULARY, d))
    x = (x + positions[:, None]).reshape(runs, sequences * length, d)
    for layer in range(shape.layers):
        w_qkv, w_out, w_up, w_down = views[2 + 4 * layer : 6 + 4 * layer]
        qkv = torch.bmm(F.rms_norm(x, (d,), eps=EPSILON), w_qkv)
        q, k, v = qkv.view(runs * sequences, length, 3, heads, HEAD).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        mixed = mixed.transpose(1, 2).reshape(runs, sequences * length, d)
        x = torch.baddbmm(x, mixed, w_out)
        hidden = F.gelu(torch.bmm(F.rms_norm(x, (d,), eps=EPSILON), w_up))
        x = torch.baddbmm(x, hidden, w_down)
    logits = torch.bmm(F.rms_norm(x, (d,), eps=EPSILON), embeddings.transpose(1, 2)).float()
    each = F.cross_entropy(
        logits.view(-1, VOCABULARY), tokens[:, :, 1:].reshape(-1), reduction="none"
    )
    return each.view(runs, -1).mean(dim=1)


@dataclass
class State:
    """Weights and AdamW state of a stack.

    Parameters
    ----------
    weights, first, second : Tensor of float32, shape (runs, n_values)
        Weights and moments.
    count : Tensor of float32, shape (runs,)
        Updates behind the moments, for their bias.
    """

    weights: Tensor
    first: Tensor
    second: Tensor
    count: Tensor

    @classmethod
    def start(cls, weights: Tensor) -> State:
        """One run with a fresh optimiser; `weights` has shape (n_values,)."""
        weights = weights[None].clone()
        zero = torch.zeros_like(weights)
        return cls(weights, zero, zero.clone(), torch.zeros(1, device=weights.device))

    def tensors(self) -> tuple[Tensor, ...]:
        """The four tensors."""
        return self.weights, self.first, self.second, self.count

    def pick(self, rows: list[int]) -> State:
        """Copies of some runs."""
        index = torch.tensor(rows, device=self.weights.device)
        return State(*(tensor.index_select(0, index) for tensor in self.tensors()))

    def join(self, others: list[State]) -> State:
        """This stack with others below it."""
        stacks = [state.tensors() for state in (self, *others)]
        return State(*(torch.cat(parts) for parts in zip(*stacks, strict=True)))

    def to(self, device: torch.device | str) -> State:
        """The state on a device."""
        return State(*(tensor.to(device) for tensor in self.tensors()))


def train_step(
    state: State,
    tokens: Tensor,
    lr: Tensor,
    shape: Shape,
    dtype: torch.dtype,
    constants: Constants | None = None,
) -> Tensor:
    """One update of every run of a stack, in place.

    Parameters
    ----------
    state : State
        The stack.
    tokens : Tensor of int64, shape (runs, sequences, sequence + 1)
        The batch of each run.
    lr : Tensor, shape (runs,)
        Learning rate of each run.
    shape : Shape
        The decoder and its optimiser.
    dtype : torch.dtype
        Type of the computation; weights and moments stay float32.
    constants : Constants, optional
        Of the optimiser of each run; the fleet's if not given.

    Returns
    -------
    Tensor, shape (runs,)
        Losses before the update.
    """
    weights = state.weights.requires_grad_()
    loss = losses(weights.to(dtype), tokens, shape)
    (gradient,) = torch.autograd.grad(loss.sum(), weights)
    constants = constants or Constants.usual(len(lr), lr.device)
    with torch.no_grad():
        weights = state.weights.detach()
        clip_(gradient)
        state.count += 1
        moments = (state.first, state.second)
        if shape.optimizer == "muon":
            # Embeddings and positions stay with AdamW.
            n = sum(shape.sizes[:2])
            muon_(
                *(tensor[:, n:] for tensor in (weights, state.first, gradient)),
                *(lr, constants, shape.shapes[2:]),
            )
            gradient, moments = gradient[:, :n], (state.first[:, :n], state.second[:, :n])
            adamw_(weights[:, :n], moments, state.count, gradient, lr, constants)
        else:
            adamw_(weights, moments, state.count, gradient, lr, constants)
    state.weights = weights
    return loss.detach()


@torch.no_grad()
def evaluate(
    weights: Tensor, tokens: Tensor, shape: Shape, dtype: torch.dtype, at_once: int
) -> Tensor:
    """Losses of runs on validation tokens.

    Parameters
    ----------
    weights : Tensor of float32, shape (runs, n_values)
        Weights.
    tokens : Tensor of int64, shape (runs, sequences, sequence + 1)
        Validation tokens of each run.
    shape : Shape
        The decoder.
    dtype : torch.dtype
        Type of the computation.
    at_once : int
        Sequences in one pass.

    Returns
    -------
    Tensor, shape (runs,)
        Nats per token.
    """
    sequences = tokens.shape[1]
    if sequences > at_once:
        parts = tokens.split(at_once, dim=1)
        cast = weights.to(dtype)
        sums = [losses(cast, part, shape) * part.shape[1] for part in parts]
        return torch.stack(sums).sum(dim=0) / sequences
    rows = max(1, at_once // sequences)
    done = [
        losses(weights[first : first + rows].to(dtype), tokens[first : first + rows], shape)
        for first in range(0, weights.shape[0], rows)
    ]
    return torch.cat(done)
