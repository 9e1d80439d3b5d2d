"""Compiled samplers, one for each structure of a model: new data need no compiling.

A sampler is compiled once on a machine: this process keeps it, and so does the disk.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from bayescpt.inference.start import Centred
from bayescpt.inference.stored import (
    pack_sampler,
    read_sampler,
    sampler_file,
    unpack_sampler,
    write_sampler,
)
from bayescpt.model.card import Card
from bayescpt.model.containers import arrays
from bayescpt.model.rows import Rows

_COMPILED: dict[tuple[Any, ...], Any] = {}


def structure(rows: Rows, card: Card) -> tuple[Any, ...]:
    """Key of what a compiled sampler depends on: the card and the number of parameters.

    Parameters
    ----------
    rows : Rows
        Padded arrays of a study.
    card : Card
        The card.

    Returns
    -------
    tuple
    """
    labels = rows.labels
    sizes = (len(labels.domain), len(labels.pair), len(labels.checkpoint))
    parts = (card.parameterisation, *card.law.values(), card.family)
    flags = (card.early, card.ar1, card.domain_correlation, card.pretraining != "none")
    priors = ((name, p.dist, tuple(sorted(p.args.items()))) for name, p in card.priors.items())
    return (*parts, flags, *priors, sizes)


def pad(rows: Rows, card: Card) -> Rows:
    """Room for more start checkpoints than there are, so that their count seldom differs.

    An unused start level has its prior and no row; the fit drops it again.

    Parameters
    ----------
    rows : Rows
        Arrays of a study.
    card : Card
        Tells whether there are start levels.

    Returns
    -------
    Rows
    """
    labels = rows.labels
    starts = _room(len(labels.checkpoint), 4) if card.has_shift else 0
    more = starts - len(labels.checkpoint)
    width = len(labels.domain)
    start = dict(rows.start)
    if more:
        start["loss"] = np.concatenate([start["loss"], np.full(more * width, 3.0)])
        start["sd"] = np.concatenate([start["sd"], np.full(more * width, 0.02)])
        start["log_area"] = np.concatenate([start["log_area"], np.zeros(more)])
        start["anneal"] = np.pad(start["anneal"], ((0, more), (0, 0)))
    segment = dict(rows.segment)
    level = np.asarray(segment["level"], dtype=np.int64)
    segment["level"] = level + np.where(level >= len(labels.level_names), more * width, 0)
    return replace(
        rows,
        labels=replace(
            labels, checkpoint=labels.checkpoint + tuple(f"unused {k}" for k in range(more))
        ),
        segment=segment,
        start=start,
    )


def _room(count: int, step: int) -> int:
    """Smallest of step, 2 step, 4 step... that holds `count`."""
    room = step
    while room < count:
        room *= 2
    return room


def compiled_sampler(rows: Rows, card: Card) -> Any:
    """Sampler of a model with a study's data, compiled only if its structure is new here.

    Parameters
    ----------
    rows : Rows
        Padded arrays of a study.
    card : Card
        The card.

    Returns
    -------
    nutpie CompiledPyMCModel
        With the study's data.
    """
    if not is_compiled(rows, card):
        _COMPILED[structure(rows, card)] = _compile(rows, card)
    sampler = _COMPILED[structure(rows, card)]
    used = {variable.name for variable in sampler.shared_var_keys}
    data = {name: value for name, value in _data(rows, card).items() if name in used}
    return sampler.with_data(**data)


def is_compiled(rows: Rows, card: Card) -> bool:
    """Tell whether a sampler of this structure is at hand, here or on disk.

    Parameters
    ----------
    rows : Rows
        Padded arrays of a study.
    card : Card
        The card.

    Returns
    -------
    bool
    """
    key = structure(rows, card)
    if key not in _COMPILED:
        file = sampler_file(key)
        stored = None if file is None or not file.is_file() else read_sampler(file)
        if stored is None:
            return False
        _COMPILED[key] = stored
    return True


def _compile(rows: Rows, card: Card) -> Any:
    import nutpie

    from bayescpt.model.build import rows_model

    model = rows_model(rows, card, fused="density")
    with warnings.catch_warnings():
        # numba warns of what it cannot cache inside nutpie; nothing a user could act on.
        warnings.simplefilter("ignore")
        sampler = nutpie.compile_pymc_model(
            model, var_names=[v.name for v in model.free_RVs], jitter_rvs=set()
        )
    # The same starts whether it is compiled or read.
    sampler = replace(sampler, initial_point_func=Centred(sampler.initial_point_func(0)))
    # The gradient by nu calls Python, which code from disk could not find.
    packed = None if card.family == "student_t" else pack_sampler(sampler)
    if packed is None:
        return sampler
    # To the last bit what other processes read: the same seed gives the same draws.
    alone = unpack_sampler(packed)
    if alone is None:
        return sampler
    file = sampler_file(structure(rows, card))
    if file is not None:
        write_sampler(file, packed)
    return alone


def _data(rows: Rows, card: Card) -> Mapping[str, Any]:
    return {name: value for name, value, _ in arrays(rows, card)}
