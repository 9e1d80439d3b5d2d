"""The registry of learning-rate schedules: constructors by name."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayescpt.data.schedule import Schedule
from bayescpt.data.schedules.arguments import check_count
from bayescpt.data.schedules.shares import check_names, spell_out
from bayescpt.data.units import did_you_mean
from bayescpt.errors import ScheduleError

Array = NDArray[np.float64]

_REGISTRY: dict[str, Callable[..., Schedule]] = {}


def register_schedule[**P](constructor: Callable[P, Array]) -> Callable[P, Schedule]:
    """Register a constructor of learning-rate schedules under its own name.

    To add a schedule:

    1. Write one function, named after the schedule, in a new file
       ``bayescpt/data/schedules/<name>_schedule.py``, and decorate it with `register_schedule`. It
       returns the absolute learning rates as an array of one value per update: ``lr[i]`` belongs
       to update ``i + 1``.
    2. Use the argument names that the other schedules share, where they apply: ``lr`` (the peak),
       ``num_training_steps``, ``num_warmup_steps``, ``num_decay_steps``, ``min_lr``,
       ``min_lr_ratio`` and ``warmup_init_lr``.
    3. Build the array from `stages.decay` and `stages.join_stages`, which check their arguments;
       check the others with the functions in ``arguments.py`` (arguments named ``num_...`` are
       checked to be whole numbers, and not absurdly large, before the function is called). A bad
       argument is a `ScheduleError` that names the argument, its value and what is expected. Write
       a numpydoc docstring with an example.
    4. Import the function in ``bayescpt/data/schedules/__init__.py`` and list it in ``__all__``.
       Plan files, search spaces and the column ``schedule`` of ``runs.csv`` now find it by name.
    5. Add it to ``EXAMPLES`` in ``tests/data/test_registered_schedules.py``, with the learning rate
       of its last update worked out by hand. The tests there run on every registered schedule. A
       schedule that reproduces a trainer's also gets a test in ``tests/data/test_schedules.py``
       against that trainer's formula.

    Parameters
    ----------
    constructor : callable
        Returns learning rates, shape (n_steps,).

    Returns
    -------
    callable
        The constructor with the same signature, which returns a `Schedule` that holds its name and
        arguments, and puts its name in front of the message of a `ScheduleError`.

    Raises
    ------
    ScheduleError
        If another module has registered a schedule of that name.
    """
    signature = inspect.signature(constructor)
    name = constructor.__name__

    @functools.wraps(constructor)
    def _build(*args: P.args, **kwargs: P.kwargs) -> Schedule:
        arguments = signature.bind(*args, **kwargs).arguments
        try:
            for key, value in arguments.items():
                # Before anything of that length is made; None where it is optional.
                if key.startswith("num_") and value is not None:
                    check_count(key, value)
            lr = constructor(*args, **kwargs)
        except (ScheduleError, TypeError) as error:  # TypeError: text in place of a number
            raise ScheduleError(f"schedules.{name}: {error}") from error
        return Schedule(lr, name, {key: _json_value(value) for key, value in arguments.items()})

    # wraps() copies the array's return annotation; tools that read it should see a Schedule.
    _build.__annotations__["return"] = "Schedule"
    return _add(name, _build)


def register_alias[**P](name: str, constructor: Callable[P, Schedule]) -> Callable[P, Schedule]:
    """Register a second name of a schedule.

    Parameters
    ----------
    name : str
        The second name.
    constructor : callable
        A constructor that is registered already.

    Returns
    -------
    callable
        The same constructor.

    Raises
    ------
    ScheduleError
        If another module has registered a schedule of that name.
    """
    return _add(name, constructor)


def registered_schedules() -> tuple[str, ...]:
    """Names of all registered schedules, aliases among them, in alphabetical order.

    Returns
    -------
    tuple of str
        Names that `from_name` takes.

    Examples
    --------
    >>> from bayescpt.data import schedules
    >>> "cosine" in schedules.registered_schedules()
    True
    """
    return tuple(sorted(_REGISTRY))


def from_name(name: str, **params: Any) -> Schedule:
    """Make a schedule from the name of its constructor.

    Parameters
    ----------
    name : str
        Name of a registered schedule, such as ``cosine`` or ``wsd``.
    **params
        Arguments of the constructor. ``warmup_share``, ``decay_share``, ``stable_share`` and
        ``cooldown_share`` give the length of a part as a share of all steps, where the constructor
        takes it as a number of steps.

    Returns
    -------
    Schedule
        The schedule.

    Raises
    ------
    ScheduleError
        If the name is unknown, or an argument is unknown, missing or out of range; the message
        lists the known names or arguments.

    Examples
    --------
    >>> from bayescpt.data import schedules
    >>> schedules.from_name("constant", lr=3e-4, num_training_steps=100)
    Schedule('constant': 100 steps, peak 0.0003, final 0.0003)
    """
    constructor = _constructor(name)
    signature = inspect.signature(constructor)
    try:
        check_names(params, signature.parameters)
        arguments = spell_out(params)
    except ScheduleError as error:
        raise ScheduleError(f"schedules.{name}: {error}") from None
    try:
        signature.bind(**arguments)
    except TypeError as error:
        raise ScheduleError(
            f"schedules.{name}: {error}; arguments: {', '.join(signature.parameters)}"
        ) from None
    return constructor(**arguments)


def schedule_arguments(name: str) -> tuple[str, ...]:
    """Names of the arguments of a schedule.

    Parameters
    ----------
    name : str
        Name of a registered schedule.

    Returns
    -------
    tuple of str
        In the order of its constructor.

    Raises
    ------
    ScheduleError
        If the name is unknown.

    Examples
    --------
    >>> from bayescpt.data.schedules.registry import schedule_arguments
    >>> schedule_arguments("constant")
    ('lr', 'num_training_steps')
    """
    return tuple(inspect.signature(_constructor(name)).parameters)


def parse_params(text: str) -> dict[str, Any]:
    """Read the arguments of a constructor from ``key=value;key=value``, as in ``runs.csv``.

    Parameters
    ----------
    text : str
        The arguments. Values that look like numbers become numbers; all others stay text.

    Returns
    -------
    dict
        Argument values by name.

    Raises
    ------
    ScheduleError
        If a part of the text is not ``key=value``.

    Examples
    --------
    >>> from bayescpt.data import schedules
    >>> schedules.parse_params("lr=3e-4; num_training_steps=100; decay_type=1-sqrt")
    {'lr': 0.0003, 'num_training_steps': 100, 'decay_type': '1-sqrt'}
    """
    params: dict[str, Any] = {}
    for part in filter(None, (piece.strip() for piece in text.split(";"))):
        key, separator, value = (field.strip() for field in part.partition("="))
        if not separator or not key or not value:
            raise ScheduleError(f"schedule parameter {part!r}; expected key=value")
        params[key] = _number_or_text(value)
    return params


def _constructor(name: str) -> Callable[..., Schedule]:
    if name not in _REGISTRY:
        known = registered_schedules()
        raise ScheduleError(
            f"unknown schedule {name!r}; {did_you_mean(name, known)}known: {', '.join(known)}"
        )
    return _REGISTRY[name]


def _add[**P](name: str, constructor: Callable[P, Schedule]) -> Callable[P, Schedule]:
    earlier = _REGISTRY.get(name)
    # A module that is loaded a second time replaces its own constructor.
    if earlier is not None and earlier.__module__ != constructor.__module__:
        raise ScheduleError(
            f"schedule {name!r} of {constructor.__module__} is registered already, by "
            f"{earlier.__module__}; choose another name"
        )
    _REGISTRY[name] = constructor
    return constructor


def _json_value(value: Any) -> Any:
    """The value as JSON can hold it."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, (list, tuple)):
        return [_json_value(item) for item in value]
    return value


def _number_or_text(text: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
