"""Which sequences of which corpus each step of a run trains on, from the run's seed alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SEQUENCE = 128
SEQUENCES_PER_STEP = 16  # 2,048 tokens a step

Ints = NDArray[np.int64]


def general_counts(
    replay: NDArray[np.float64], phase: float, per_step: int = SEQUENCES_PER_STEP
) -> Ints:
    """Number of general sequences in each step.

    Parameters
    ----------
    replay : ndarray, shape (steps,)
        Fraction of general sequences wanted in each step.
    phase : float
        Where in its first sequence the sum starts, 0 to 1.
    per_step : int
        Sequences a step.

    Returns
    -------
    ndarray, shape (steps,)
        Counts whose running sum is never a whole sequence away from that of the fractions.

    Examples
    --------
    >>> import numpy as np
    >>> general_counts(np.full(8, 0.02), 0.5).tolist()
    [0, 1, 0, 0, 1, 0, 0, 1]
    """
    # Rounded first: 16 x .25 summed a thousand times must not fall below a whole number.
    total = np.floor(np.round(np.cumsum(replay * per_step) + phase, 9)).astype(np.int64)
    return np.diff(total, prepend=0)


def shuffled(n_sequences: int, n: int, generator: np.random.Generator) -> Ints:
    """`n` sequence numbers, each corpus pass in a new random order."""
    passes = [generator.permutation(n_sequences) for _ in range(-(-n // n_sequences))]
    return np.concatenate([*passes, np.empty(0, dtype=np.int64)])[:n]


def sequence_starts(
    replay: NDArray[np.float64],
    seed: int,
    general: tuple[int, int],
    target: tuple[int, int],
    sequence: int = SEQUENCE,
    per_step: int = SEQUENCES_PER_STEP,
) -> NDArray[np.int32]:
    """First tokens of the sequences of every step.

    Parameters
    ----------
    replay : ndarray, shape (steps,)
        Replay ratio at each step; 1 in pre-training.
    seed : int
        Seed of the run.
    general, target : (int, int)
        First token and number of tokens of the two corpora in the packed data.
    sequence, per_step : int
        Tokens of a sequence, and sequences a step.

    Returns
    -------
    ndarray, shape (steps, per_step)
        Indices into the packed tokens; a sequence is its `sequence` tokens and the one after.
    """
    generator = np.random.default_rng([2026, seed])
    counts = general_counts(replay, generator.uniform(), per_step)
    is_general = np.arange(per_step) < counts[:, None]
    # Every run cuts the corpora at a place of its own.
    shift = generator.integers(sequence)
    starts = np.empty(is_general.shape, dtype=np.int64)
    for chosen, (first, size) in ((is_general, general), (~is_general, target)):
        n_sequences = (size - shift - 1) // sequence
        order = shuffled(n_sequences, int(chosen.sum()), generator)
        starts[chosen] = first + shift + sequence * order
    return starts.astype(np.int32)
