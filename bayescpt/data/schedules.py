"""Schedules by name, with the parameter names of transformers and Megatron.

``lr[i]``, the learning rate of update ``i + 1``, is the value of the origin's formula at its step
counter ``i``, as both trainers count. Traps that the origins hold, and what to write here:

- transformers' ``warmup_stable_decay`` warms up from ``min_lr_ratio * lr``, not from 0: give
  ``warmup_init_lr=min_lr_ratio * lr``.
- transformers' ``cosine_warmup_with_min_lr`` is one step ahead: take ``.lr[1:]`` of
  ``cosine(lr, n + 1, warmup, num_decay_steps=n - warmup)``.
- transformers' cosine rises again past its end; here, as in Megatron, the minimum holds.
- Megatron's "exponential" decay is ``2 * 0.5**p - 1``, which ends at the minimum; the decay that
  multiplies the learning rate by a constant at each step is ``geometric``.
- Megatron's ``lr_decay_iters`` counts from 0, `num_decay_steps` from the start of the decay.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bayescpt.data.schedule import Schedule
from bayescpt.errors import ScheduleError

__all__ = [
    "constant",
    "constant_with_warmup",
    "cosine",
    "from_array",
    "from_name",
    "infinite",
    "inverse_sqrt",
    "linear",
    "piecewise",
    "warmup_stable_decay",
    "wsd",
]

Array = NDArray[np.float64]
DecayType = Literal["linear", "cosine", "1-sqrt", "exponential", "geometric"]

# Share of (start - end) that is left at progress p in 0..1; geometric needs the ends themselves.
_COEFFICIENTS: dict[str, Callable[[Array], Array]] = {
    "linear": lambda p: 1.0 - p,
    "cosine": lambda p: 0.5 * (1.0 + np.cos(np.pi * p)),
    "1-sqrt": lambda p: 1.0 - np.sqrt(p),
    "exponential": lambda p: 2.0 * 0.5**p - 1.0,
}
DECAY_TYPES = (*_COEFFICIENTS, "geometric")

_CONSTRUCTORS: dict[str, Callable[..., Schedule]] = {}


def _constructor[**P](function: Callable[P, Array]) -> Callable[P, Schedule]:
    """Make a Schedule, with its name and arguments, of a function that returns an array."""
    signature = inspect.signature(function)
    name = function.__name__

    @functools.wraps(function)
    def build(*args: P.args, **kwargs: P.kwargs) -> Schedule:
        given = signature.bind(*args, **kwargs).arguments
        try:
            lr = function(*args, **kwargs)
        except (ScheduleError, TypeError) as error:  # TypeError: text in place of a number
            raise ScheduleError(f"schedules.{name}: {error}") from error
        return Schedule(lr, name, {key: _plain(value) for key, value in given.items()})

    # wraps() copies the array's return annotation; tools that read it should see a Schedule.
    build.__annotations__["return"] = "Schedule"
    _CONSTRUCTORS[name] = build
    return build


def _plain(value: Any) -> Any:
    """Value as JSON can hold it."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


@_constructor
def constant(lr: float, num_training_steps: int) -> Array:
    """One learning rate throughout (transformers and Megatron ``constant``).

    Parameters
    ----------
    lr : float
        Learning rate, absolute.
    num_training_steps : int
        Number of updates.

    Returns
    -------
    Schedule
        Learning rates, shape (num_training_steps,).
    """
    return _assemble(lr, num_training_steps, 0, 0.0)


@_constructor
def constant_with_warmup(
    lr: float, num_training_steps: int, num_warmup_steps: int = 0, warmup_init_lr: float = 0.0
) -> Array:
    """Linear warm-up, then one learning rate (transformers ``constant_with_warmup``).

    Parameters
    ----------
    lr : float
        Peak learning rate.
    num_training_steps : int
        Number of updates.
    num_warmup_steps : int
        Updates of warm-up; the peak comes at the update after them.
    warmup_init_lr : float
        Learning rate of the first update of the warm-up.

    Returns
    -------
    Schedule
        Learning rates, shape (num_training_steps,).
    """
    return _assemble(lr, num_training_steps, num_warmup_steps, warmup_init_lr)


@_constructor
def linear(
    lr: float,
    num_training_steps: int,
    num_warmup_steps: int = 0,
    num_decay_steps: int | None = None,
    min_lr: float | None = None,
    min_lr_ratio: float | None = None,
    warmup_init_lr: float = 0.0,
) -> Array:
    """Linear warm-up, then linear decay (transformers and Megatron ``linear``).

    Parameters
    ----------
    lr : float
        Peak learning rate.
    num_training_steps : int
        Number of updates.
    num_warmup_steps : int
        Updates of warm-up.
    num_decay_steps : int, optional
        Updates from the end of the warm-up to the minimum, which holds from there on;
        by default all that are left.
    min_lr, min_lr_ratio : float, optional
        Final learning rate, absolute or as a share of `lr`: one of the two, or neither for 0.
    warmup_init_lr : float
        Learning rate of the first update of the warm-up.

    Returns
    -------
    Schedule
        Learning rates, shape (num_training_steps,).
    """
    floor = _floor(lr, min_lr, min_lr_ratio)
    n_decay = _left(num_training_steps, num_warmup_steps, num_decay_steps)
    decay = _decay(lr, floor, n_decay, "linear")
    return _assemble(lr, num_training_steps, num_warmup_steps, warmup_init_lr, 0, decay, floor)


@_constructor
def cosine(
    lr: float,
    num_training_steps: int,
    num_warmup_steps: int = 0,
    num_decay_steps: int | None = None,
    min_lr: float | None = None,
    min_lr_ratio: float | None = None,
    warmup_init_lr: float = 0.0,
) -> Array:
    """Linear warm-up, then half a cosine.

    Transformers ``cosine`` and ``cosine_with_min_lr``, Megatron ``cosine``.

    Parameters
    ----------
    lr : float
        Peak learning rate.
    num_training_steps : int
        Number of updates.
    num_warmup_steps : int
        Updates of warm-up.
    num_decay_steps : int, optional
        Updates from the end of the warm-up to the minimum, which holds from there on;
        by default all that are left.
    min_lr, min_lr_ratio : float, optional
        Final learning rate, absolute or as a share of `lr`: one of the two, or neither for 0.
    warmup_init_lr : float
        Learning rate of the first update of the warm-up.

    Returns
    -------
    Schedule
        Learning rates, shape (num_training_steps,).
    """
    floor = _floor(lr, min_lr, min_lr_ratio)
    n_decay = _left(num_training_steps, num_warmup_steps, num_decay_steps)
    decay = _decay(lr, floor, n_decay, "cosine")
    return _assemble(lr, num_training_steps, num_warmup_steps, warmup_init_lr, 0, decay, floor)


@_constructor
def warmup_stable_decay(
    lr: float,
    num_training_steps: int | None = None,
    num_warmup_steps: int = 0,
    num_decay_steps: int = 0,
    num_stable_steps: int | None = None,
    min_lr: float | None = None,
    min_lr_ratio: float | None = None,
    decay_type: DecayType = "linear",
    warmup_init_lr: float = 0.0,
) -> Array:
    """Linear warm-up, a constant stretch, a decay.

    Transformers ``warmup_stable_decay``, Megatron ``WSD``.

    Parameters
    ----------
    lr : float
        Peak learning rate.
    num_training_steps : int, optional
        Number of updates; by default warm-up + stable + decay.
    num_warmup_steps : int
        Updates of warm-up.
    num_decay_steps : int
        Updates of the decay (Megatron ``lr_wsd_decay_iters``).
    num_stable_steps : int, optional
        Updates at the peak; by default all that are left. When updates are left after the decay,
        the minimum holds.
    min_lr, min_lr_ratio : float, optional
        Final learning rate, absolute or as a share of `lr`: one of the two, or neither for 0.
    decay_type : {"linear", "cosine", "1-sqrt", "exponential", "geometric"}
        Shape of the decay; "1-sqrt" is Megatron's ``minus_sqrt``. The trainers' own defaults
        differ (transformers "cosine", Megatron "exponential").
    warmup_init_lr : float
        Learning rate of the first update of the warm-up.

    Returns
    -------
    Schedule
        Learning rates, shape (num_training_steps,).
    """
    if num_stable_steps is None:
        if num_training_steps is None:
            raise ScheduleError("give num_training_steps, num_stable_steps or both")
        num_stable_steps = num_training_steps - num_warmup_steps - num_decay_steps
        if num_stable_steps < 0:
            raise ScheduleError(
                f"num_warmup_steps {num_warmup_steps} + num_decay_steps {num_decay_steps} "
                f"exceed num_training_steps {num_training_steps}"
            )
    if num_training_steps is None:
        num_training_steps = num_warmup_steps + num_stable_steps + num_decay_steps
    floor = _floor(lr, min_lr, min_lr_ratio)
    decay = _decay(lr, floor, num_decay_steps, decay_type)
    return _assemble(
        lr, num_training_steps, num_warmup_steps, warmup_init_lr, num_stable_steps, decay, floor
    )


@_constructor
def inverse_sqrt(
    lr: float,
    num_training_steps: int,
    num_warmup_steps: int = 0,
    timescale: int | None = None,
    min_lr: float | None = None,
    min_lr_ratio: float | None = None,
    warmup_init_lr: float = 0.0,
) -> Array:
    """Linear warm-up, then one over the square root of the step.

    Transformers ``inverse_sqrt``; Megatron ``inverse-square-root`` when there is a warm-up.

    Parameters
    ----------
    lr : float
        Peak learning rate.
    num_training_steps : int
        Number of updates.
    num_warmup_steps : int
        Updates of warm-up.
    timescale : int, optional
        Steps after which the learning rate has fallen by sqrt(2); by default the warm-up, or
        10,000 without one.
    min_lr, min_lr_ratio : float, optional
        Floor, absolute or as a share of `lr`: one of the two, or neither for 0.
    warmup_init_lr : float
        Learning rate of the first update of the warm-up.

    Returns
    -------
    Schedule
        Learning rates, shape (num_training_steps,).
    """
    scale = timescale if timescale is not None else (num_warmup_steps or 10_000)
    if scale <= 0:
        raise ScheduleError(f"timescale is {scale}; expected a positive number of steps")
    floor = _floor(lr, min_lr, min_lr_ratio)
    n_decay = _left(num_training_steps, num_warmup_steps, None)
    decay = np.maximum(floor, lr / np.sqrt((np.arange(n_decay) + scale) / scale))
    return _assemble(lr, num_training_steps, num_warmup_steps, warmup_init_lr, 0, decay, floor)


@_constructor
def infinite(
    lr: float,
    num_training_steps: int,
    num_warmup_steps: int,
    num_cooldown_steps: int,
    constant_lr: float,
    num_decay_steps: int = 0,
    min_lr: float | None = None,
    min_lr_ratio: float | None = None,
    cooldown_type: Literal["cosine", "inverse_sqrt"] = "cosine",
    timescale: float = 10.0,
    warmup_init_lr: float = 0.0,
) -> Array:
    """Warm-up, cooldown to a constant that can be kept for ever, geometric anneal at the end.

    Section 7.4 of Ibrahim et al. (arXiv 2403.08763). The anneal multiplies `constant_lr` by
    ``(min_lr / constant_lr) ** p``.

    Parameters
    ----------
    lr : float
        Peak learning rate.
    num_training_steps : int
        Number of updates; the constant stretch takes what the other three leave.
    num_warmup_steps, num_cooldown_steps : int
        Updates of warm-up and cooldown.
    constant_lr : float
        Learning rate of the constant stretch.
    num_decay_steps : int
        Updates of the final anneal.
    min_lr, min_lr_ratio : float, optional
        Final learning rate, absolute or as a share of `lr`; one is needed, above 0, when there is
        an anneal.
    cooldown_type : {"cosine", "inverse_sqrt"}
        Shape of the cooldown.
    timescale : float
        Steepness of the inverse-square-root cooldown, h(p) = 1/sqrt(1 + timescale p) - 1.
    warmup_init_lr : float
        Learning rate of the first update of the warm-up.

    Returns
    -------
    Schedule
        Learning rates, shape (num_training_steps,).
    """
    if not 0 < constant_lr <= lr:
        raise ScheduleError(f"constant_lr is {constant_lr}; expected above 0, at most lr {lr}")
    stable = num_training_steps - num_warmup_steps - num_cooldown_steps - num_decay_steps
    if stable < 0:
        raise ScheduleError(
            f"num_warmup_steps {num_warmup_steps} + num_cooldown_steps {num_cooldown_steps} + "
            f"num_decay_steps {num_decay_steps} exceed num_training_steps {num_training_steps}"
        )
    _count("num_cooldown_steps", num_cooldown_steps)
    if cooldown_type == "cosine":
        cooldown = _decay(lr, constant_lr, num_cooldown_steps, "cosine")
    elif cooldown_type == "inverse_sqrt":
        fall = 1.0 - 1.0 / np.sqrt(1.0 + timescale * _progress(num_cooldown_steps))
        cooldown = lr + (constant_lr - lr) * fall / (1.0 - 1.0 / np.sqrt(1.0 + timescale))
    else:
        raise ScheduleError(f"unknown cooldown_type {cooldown_type!r}; known: cosine, inverse_sqrt")
    floor = _floor(lr, min_lr, min_lr_ratio)
    rest = [np.full(stable, constant_lr), _decay(constant_lr, floor, num_decay_steps, "geometric")]
    tail = np.concatenate([cooldown, *rest])
    return _assemble(lr, num_training_steps, num_warmup_steps, warmup_init_lr, 0, tail, floor)


@_constructor
def piecewise(pieces: Sequence[tuple[int, str, float, float]]) -> Array:
    """Pieces one after another.

    Parameters
    ----------
    pieces : sequence of (duration, shape, start, end)
        Number of updates; "constant" or one of the decay types; learning rate at the piece's first
        update; learning rate that the next piece starts from when the joint is continuous (a piece
        ends one update short of it, as every trainer's decay does). A piece may rise.

    Returns
    -------
    Schedule
        Learning rates, shape (sum of durations,).
    """
    parts = []
    for number, piece in enumerate(pieces, start=1):
        try:
            duration, shape, start, end = piece
        except (TypeError, ValueError):
            raise ScheduleError(
                f"piece {number} is {piece!r}; expected (duration, shape, start, end)"
            ) from None
        _count("duration", duration, f"piece {number}: ")
        if shape == "constant":
            if start != end:
                raise ScheduleError(
                    f"piece {number}: constant, but starts at {start} and ends at {end}"
                )
            shape = "linear"
        parts.append(_decay(start, end, duration, shape))
    return np.concatenate(parts) if parts else np.empty(0)


def from_array(lr: ArrayLike, name: str = "array") -> Schedule:
    """Make a schedule of measured or home-made learning rates.

    Parameters
    ----------
    lr : array_like, shape (n_steps,)
        ``lr[i]`` is the learning rate of update ``i + 1``. Trainer logs often write the next
        update's beside a step: check the first value.
    name : str
        What to call it.

    Returns
    -------
    Schedule
        The learning rates.
    """
    return Schedule(cast("Array", lr), name)


wsd = warmup_stable_decay
_CONSTRUCTORS["wsd"] = wsd


def from_name(name: str, **params: Any) -> Schedule:
    """Make a schedule by its constructor's name, as tables of runs write it.

    Parameters
    ----------
    name : str
        Name of a constructor of this module (not ``from_array``).
    **params
        Its arguments.

    Returns
    -------
    Schedule
        The schedule.

    Raises
    ------
    ScheduleError
        If the name or an argument is unknown; the message lists those known.
    """
    if name not in _CONSTRUCTORS:
        raise ScheduleError(f"unknown schedule {name!r}; known: {', '.join(sorted(_CONSTRUCTORS))}")
    build = _CONSTRUCTORS[name]
    known = inspect.signature(build)
    try:
        known.bind(**params)
    except TypeError as error:
        raise ScheduleError(
            f"schedules.{name}: {error}; arguments: {', '.join(known.parameters)}"
        ) from None
    return build(**params)


def parse_params(text: str) -> dict[str, Any]:
    """Read the arguments of a constructor from ``key=value;key=value``.

    Parameters
    ----------
    text : str
        The arguments; numbers are read as numbers, all else as text.

    Returns
    -------
    dict
        Argument values by name.
    """
    params: dict[str, Any] = {}
    for part in filter(None, (piece.strip() for piece in text.split(";"))):
        key, separator, value = (field.strip() for field in part.partition("="))
        if not separator or not key or not value:
            raise ScheduleError(f"schedule parameter {part!r}; expected key=value")
        params[key] = _number(value)
    return params


def _number(text: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _count(name: str, value: Any, where: str = "") -> None:
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if not whole or value < 0:
        raise ScheduleError(f"{where}{name} is {value!r}; expected a whole number, 0 or more")


def _rate(name: str, value: Any) -> None:
    number = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
    if not number or not np.isfinite(value) or value < 0:
        raise ScheduleError(f"{name} is {value!r}; expected a finite number, 0 or more")


def _left(total: int, warmup: int, asked: int | None) -> int:
    """Count the updates of a decay: those asked for, or all that the warm-up leaves."""
    _count("num_training_steps", total)
    _count("num_warmup_steps", warmup)
    return max(0, total - warmup) if asked is None else asked


def _floor(lr: float, min_lr: float | None, min_lr_ratio: float | None) -> float:
    """Lowest learning rate, from one of its two ways to be given."""
    if min_lr is not None and min_lr_ratio is not None:
        raise ScheduleError(f"give min_lr ({min_lr}) or min_lr_ratio ({min_lr_ratio}), not both")
    _rate("lr", lr)
    if min_lr_ratio is not None:
        _rate("min_lr_ratio", min_lr_ratio)
        if min_lr_ratio > 1:
            raise ScheduleError(f"min_lr_ratio is {min_lr_ratio}; expected 0 to 1")
        return lr * min_lr_ratio
    floor = 0.0 if min_lr is None else min_lr
    _rate("min_lr", floor)
    if floor > lr:
        raise ScheduleError(f"min_lr is {floor}; expected 0 to lr {lr}")
    return floor


def _progress(n: int) -> Array:
    return np.arange(n) / max(n, 1)


def _decay(start: float, end: float, n: int, shape: str) -> Array:
    """Learning rates that leave `start` and reach `end` one update after the last."""
    _count("num_decay_steps", n)
    _rate("start", start)
    _rate("end", end)
    if shape == "geometric":
        if n and min(start, end) <= 0:
            raise ScheduleError(
                f"a geometric decay from {start} to {end} needs both above 0: give min_lr"
            )
        return start * (end / start) ** _progress(n) if n else np.empty(0)
    if shape not in _COEFFICIENTS:
        raise ScheduleError(f"unknown decay_type {shape!r}; known: {', '.join(DECAY_TYPES)}")
    return end + (start - end) * _COEFFICIENTS[shape](_progress(n))


def _assemble(
    lr: float,
    total: int,
    warmup: int,
    warmup_init_lr: float,
    stable: int | None = None,
    decay: Array | None = None,
    floor: float = 0.0,
) -> Array:
    """Join warm-up, stretch at the peak, decay and tail at the floor; cut at `total` updates."""
    _rate("lr", lr)
    _rate("warmup_init_lr", warmup_init_lr)
    _count("num_training_steps", total)
    _count("num_warmup_steps", warmup)
    if stable is not None:
        _count("num_stable_steps", stable)
    if warmup > total:
        raise ScheduleError(f"num_warmup_steps {warmup} exceeds num_training_steps {total}")
    out = np.full(total, floor, dtype=np.float64)
    out[:warmup] = warmup_init_lr + (lr - warmup_init_lr) * _progress(warmup)
    end = total if stable is None else min(warmup + stable, total)
    out[warmup:end] = lr
    if decay is not None:
        last = min(end + decay.size, total)
        out[end:last] = decay[: last - end]
    return out
