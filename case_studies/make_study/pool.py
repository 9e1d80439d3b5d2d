"""A stack of runs under way: runs join where there is room and leave when they are done."""

from __future__ import annotations

import json
import lzma
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from optimiser import BETA_2, WEIGHT_DECAY, Constants
from stack import Shape, State, evaluate, train_step
from stream import SEQUENCES_PER_STEP, sequence_starts
from torch import Tensor


@dataclass
class Job:
    """A run to train: its row of runs.csv, its learning rates and replay ratios."""

    key: str
    row: dict[str, Any]
    lr: np.ndarray
    replay: np.ndarray

    @property
    def origin(self) -> tuple[str, int] | None:
        """The run and step whose state this one starts from; None for a run from scratch."""
        if self.row["branch_of"]:
            return self.row["branch_of"], int(self.row["branch_step"])
        return (self.row["parent"], -1) if self.row["parent"] else None

    @property
    def first(self) -> int:
        """Its step at the start: 0, or the branch step."""
        return int(self.row["branch_step"] or 0)

    @property
    def steps(self) -> int:
        """Its last step."""
        return int(self.row["steps"])

    @property
    def evaluations(self) -> list[int]:
        """Steps at which it is evaluated."""
        return [int(step) for step in self.row["evaluations"].split()]

    @property
    def sets(self) -> list[str]:
        """Validation sets."""
        return self.row["sets"].split()

    # What follows is the same in all runs of the fleet, whose plan has no such columns.

    @property
    def general(self) -> str:
        """The corpus of pre-training and replay."""
        return self.row.get("general") or "general"

    @property
    def target(self) -> str:
        """The corpus of continual pre-training; a base draws nothing from it."""
        return self.row.get("corpus") or self.row["domain"] or self.general

    @property
    def sequences_per_step(self) -> int:
        """Sequences of a batch."""
        return int(self.row.get("sequences_per_step") or SEQUENCES_PER_STEP)

    @property
    def weight_decay(self) -> float:
        """AdamW's weight decay."""
        return float(self.row.get("weight_decay", WEIGHT_DECAY))

    @property
    def beta_2(self) -> float:
        """AdamW's second beta."""
        return float(self.row.get("beta_2", BETA_2))


@dataclass
class Active:
    """A run in the stack: its step, and what was measured so far."""

    job: Job
    step: int
    measured: list[tuple[int, str]] = field(default_factory=list)
    losses: list[Tensor] = field(default_factory=list)

    def curve(self) -> dict[str, list[Any]]:
        """Steps, sets and losses so far."""
        values = torch.cat(self.losses).tolist() if self.losses else []
        return {
            "step": [step for step, _ in self.measured],
            "domain": [name for _, name in self.measured],
            "loss": values,
        }


@dataclass
class Data:
    """Packed tokens on the device, and where each corpus lies in them."""

    train: Tensor
    places: dict[str, tuple[int, int]]
    validation: dict[str, Tensor]
    sequence: int

    @classmethod
    def load(cls, folder: Path, device: str, sequence: int) -> Data:
        """Read what pack_tokens.py wrote, and pack_variants.py if it did."""
        parts: dict[str, np.ndarray] = {}
        for path in sorted(folder.glob("*.npy.xz")):
            with lzma.open(path) as file:
                parts[path.name.split(".")[0]] = np.load(file).astype(np.int16)
        mixtures = folder / "mixtures.json"
        if mixtures.exists():
            for name, counts in json.loads(mixtures.read_text()).items():
                # Sequences are drawn from all of it in random order: that mixes them.
                parts[name] = np.concatenate([parts[part][:n] for part, n in counts.items()])
        places, first = {}, 0
        for name, tokens in parts.items():
            places[name] = (first, tokens.size)
            first += tokens.size
        train = torch.from_numpy(np.concatenate(list(parts.values()))).to(device)
        validation = {}
        with np.load(folder / "validation.npz") as file:
            for name in file.files:
                tokens = torch.from_numpy(file[name].astype(np.int64))
                validation[name] = tokens.unfold(0, sequence + 1, sequence).to(device)
        return cls(train, places, validation, sequence)

    def starts(self, job: Job) -> Tensor:
        """First tokens of the sequences of each step of a run."""
        starts = sequence_starts(
            job.replay,
            int(job.row["seed"]),
            self.places[job.general],
            self.places[job.target],
            self.sequence,
            job.sequences_per_step,
        )
        return torch.from_numpy(starts).to(self.train.device)


class Pool:
    """The stack.

    Parameters
    ----------
    shape : Shape
        The decoder.
    data : Data
        Tokens.
    dtype : torch.dtype
        Type of the computation.
    at_once : int
        Validation sequences in one pass.
    keep : callable
        Called with a run, a step and the state there, whenever a run reaches a step in `forks`.
    forks : set of (str, int)
        Runs and steps that others start from.
    """

    def __init__(
        self,
        shape: Shape,
        data: Data,
        dtype: torch.dtype,
        at_once: int,
        keep: Callable[[str, int, State], None],
        forks: set[tuple[str, int]],
    ) -> None:
        self.shape, self.data, self.dtype, self.at_once = shape, data, dtype, at_once
        self.keep, self.forks = keep, forks
        self.active: list[Active] = []
        self.state: State | None = None
        self._starts: list[Tensor] = []
        self._lrs: list[Tensor] = []
        self._tables: tuple[Tensor, Tensor, Tensor] | None = None
        self._constants: Constants | None = None

    def add(self, entries: list[tuple[Active, State]]) -> None:
        """Put runs into the stack; runs at their first step are evaluated there."""
        if not entries:
            return
        device = self.data.train.device
        states = [state for _, state in entries]
        self.state = self.state.join(states) if self.state else states[0].join(states[1:])
        fresh = []
        for entry, _ in entries:
            self.active.append(entry)
            self._starts.append(self.data.starts(entry.job))
            self._lrs.append(torch.from_numpy(entry.job.lr).float().to(device))
            if not entry.measured and entry.job.first == 0:
                fresh.append(len(self.active) - 1)
        self._tables = None
        self._evaluate(fresh)

    def tick(self) -> list[Active]:
        """Train all runs by one step; those that are done leave and are given back."""
        assert self.state is not None
        if self._tables is None:
            self._tables = self._make_tables()
        starts, lrs, steps = self._tables
        rows = torch.arange(len(self.active), device=starts.device)
        spans = torch.arange(self.data.sequence + 1, device=starts.device)
        index = starts[rows, steps].long()[:, :, None] + spans
        tokens = self.data.train[index].long()
        train_step(self.state, tokens, lrs[rows, steps], self.shape, self.dtype, self._constants)
        steps += 1
        for entry in self.active:
            entry.step += 1
        self._evaluate(
            [i for i, entry in enumerate(self.active) if entry.step in set_of(entry.job)]
        )
        return self._leave()

    def _leave(self) -> list[Active]:
        assert self.state is not None
        for row, entry in enumerate(self.active):
            for step in {entry.step, -1 if entry.step == entry.job.steps else entry.step}:
                if (entry.job.key, step) in self.forks:
                    self.keep(entry.job.key, step, self.state.pick([row]))
        staying = [i for i, entry in enumerate(self.active) if entry.step < entry.job.steps]
        if len(staying) == len(self.active):
            return []
        done = [entry for entry in self.active if entry.step >= entry.job.steps]
        self.state = self.state.pick(staying) if staying else None
        self.active = [self.active[i] for i in staying]
        self._starts = [self._starts[i] for i in staying]
        self._lrs = [self._lrs[i] for i in staying]
        self._tables = None
        return done

    def _make_tables(self) -> tuple[Tensor, Tensor, Tensor]:
        """Starts, learning rates and steps of all runs, padded, and the optimisers' constants."""
        pad = torch.nn.utils.rnn.pad_sequence
        device = self._lrs[0].device
        steps = torch.tensor([entry.step for entry in self.active], device=device)
        jobs = [entry.job for entry in self.active]
        self._constants = Constants(
            torch.tensor([job.weight_decay for job in jobs], device=device),
            torch.tensor([job.beta_2 for job in jobs], device=device),
        )
        return pad(self._starts, batch_first=True), pad(self._lrs, batch_first=True), steps

    def _evaluate(self, rows: list[int]) -> None:
        """Evaluate some runs of the stack on their sets."""
        if not rows:
            return
        assert self.state is not None
        pairs = [(row, name) for row in rows for name in self.active[row].job.sets]
        chunk = max(1, self.at_once // len(next(iter(self.data.validation.values()))))
        for first in range(0, len(pairs), chunk):
            part = pairs[first : first + chunk]
            index = torch.tensor([row for row, _ in part], device=self.state.weights.device)
            weights = self.state.weights.index_select(0, index)
            tokens = torch.stack([self.data.validation[name] for _, name in part])
            losses = evaluate(weights, tokens, self.shape, self.dtype, self.at_once)
            for place, (row, name) in enumerate(part):
                entry = self.active[row]
                entry.measured.append((entry.step, name))
                entry.losses.append(losses[place : place + 1])


_SETS: dict[str, frozenset[int]] = {}


def set_of(job: Job) -> frozenset[int]:
    """The run's evaluation steps, as a set made once."""
    if job.key not in _SETS:
        _SETS[job.key] = frozenset(job.evaluations)
    return _SETS[job.key]
