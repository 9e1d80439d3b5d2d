"""Compiled samplers, one per model structure, so that new data need no recompilation.

A sampler is compiled once per machine and cached in memory and on disk.
"""

from __future__ import annotations

import hashlib
import sys
import threading
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from bayescpt.inference.reading import quick_reading
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
from bayescpt.model.priors import DISTRIBUTIONS, Prior
from bayescpt.model.rows import Rows
from bayescpt.model.starts import NOT_AT_ALL

_COMPILED: dict[tuple[Any, ...], Any] = {}
_LOCK = threading.RLock()


def structure(rows: Rows, card: Card) -> tuple[Any, ...]:
    """Cache key of a compiled sampler: the law, the priors and the number of parameters.

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
    sides = labels.side_names if card.law.pooled else ()
    sizes = tuple(map(len, (labels.domain, labels.pair, labels.checkpoint, labels.size, sides)))
    priors = ((name, p.dist, tuple(sorted(p.args.items()))) for name, p in card.priors.items())
    effects = card.run_effects if card.marginal_effects else ()
    noise = (card.family, card.early, card.ar1, card.domain_correlation, effects)
    law = (card.parameterisation, card.warmup, card.pretraining != "none")
    choices = tuple(sorted(card.choices.items()))
    return (law, choices, noise, tuple(priors), sizes, foreign_sources(card))


def foreign_sources(card: Card) -> tuple[str, ...]:
    """Digests of the source files of terms, noise models and priors from outside the package.

    Parameters
    ----------
    card : Card
        The card.

    Returns
    -------
    tuple of str
        ``""`` for a class without a source file, whose sampler is not cached on disk.
    """
    return source_digests((*card.law.terms, card.noise), card.priors)


def source_digests(parts: Iterable[object], priors: Mapping[str, Prior]) -> tuple[str, ...]:
    """Digests of the source files of parts of a model that come from outside the package.

    Parameters
    ----------
    parts : iterable of object
        Instances, such as terms of a law.
    priors : Mapping of str to Prior
        Priors, whose distributions may be foreign too.

    Returns
    -------
    tuple of str
        As from `foreign_sources`.
    """
    kinds = {type(part) for part in parts}
    kinds |= {type(DISTRIBUTIONS[prior.dist]) for prior in priors.values()}
    names = sorted(kind.__module__ for kind in kinds if not kind.__module__.startswith("bayescpt."))
    digests = []
    for name in dict.fromkeys(names):
        file = getattr(sys.modules.get(name), "__file__", None)
        digests.append(hashlib.sha256(Path(file).read_bytes()).hexdigest() if file else "")
    return tuple(digests)


def pad(rows: Rows, card: Card) -> Rows:
    """Pad the start checkpoints, so that fewer distinct counts need compiling.

    An unused start level has its prior and no rows; the fit drops it.

    Parameters
    ----------
    rows : Rows
        Arrays of a study.
    card : Card
        Card, which determines whether there are start levels.

    Returns
    -------
    Rows
    """
    labels = rows.labels
    more = _room(len(labels.checkpoint), 4) - len(labels.checkpoint) if card.continual else 0
    if not more:
        return rows
    unused = tuple(f"unused {k}" for k in range(more))
    fill = {"loss": 3.0, "sd": 0.02, "source": NOT_AT_ALL}
    start = {}
    for name, value in rows.start.items():
        count = more * len(labels.domain) if name in fill else more
        rest = np.full((count, *value.shape[1:]), fill.get(name, 0.0))
        start[name] = np.concatenate([value, rest])
    padded = replace(labels, checkpoint=labels.checkpoint + unused)
    return replace(rows, labels=padded, start=start)


def _room(count: int, step: int) -> int:
    """Smallest of step, 2 step, 4 step... that is at least `count`."""
    room = step
    while room < count:
        room *= 2
    return room


def compiled_sampler(rows: Rows, card: Card) -> Any:
    """Sampler of a model with a study's data; compiled only if its structure is new.

    Parameters
    ----------
    rows : Rows
        Padded arrays of a study.
    card : Card
        The card.

    Returns
    -------
    nutpie CompiledPyMCModel
        The sampler with the study's data.
    """
    data = {name: value for name, value, _ in arrays(rows, card)}
    build = partial(_model, rows, card)
    return sampler_of(structure(rows, card), build, data, card.noise.storable)


def is_compiled(rows: Rows, card: Card) -> bool:
    """Whether a sampler of this structure is cached, in memory or on disk.

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
    return is_cached(structure(rows, card))


def sampler_of(
    key: tuple[Any, ...],
    build: Callable[[], Any],
    data: Mapping[str, Any],
    storable: bool = True,
) -> Any:
    """Sampler of a model with data; compiled only if its key is new.

    Parameters
    ----------
    key : tuple
        What the code depends on besides sources, versions and machine; the last entry holds the
        digests of sources from outside the package, ``""`` for one that must not be cached on disk.
    build : callable
        Makes the PyMC model.
    data : Mapping of str to ndarray
        Values of its data containers; others are ignored.
    storable : bool
        Whether the model is machine code alone, and so can be cached on disk.

    Returns
    -------
    nutpie CompiledPyMCModel
    """
    # Compilation is not thread-safe: concurrent fits wait for each other.
    with _LOCK:
        if not is_cached(key):
            _COMPILED[key] = _compile(build, key, storable)
        sampler = _COMPILED[key]
    used = {variable.name for variable in sampler.shared_var_keys}
    return sampler.with_data(**{name: data[name] for name in data if name in used})


def is_cached(key: tuple[Any, ...]) -> bool:
    """Whether a sampler is cached, in memory or on disk.

    Parameters
    ----------
    key : tuple
        As in `sampler_of`.

    Returns
    -------
    bool
    """
    with _LOCK:
        if key not in _COMPILED:
            file = _file(key)
            stored = None if file is None or not file.is_file() else read_sampler(file)
            if stored is None:
                return False
            _COMPILED[key] = stored
    return True


def _file(key: tuple[Any, ...]) -> Path | None:
    """File of a sampler; None if it must not be cached on disk."""
    *_, foreign = key
    return None if "" in foreign else sampler_file(key)


def _model(rows: Rows, card: Card) -> Any:
    from bayescpt.model.build import rows_model

    return rows_model(rows, card, fused="density")


def _compile(build: Callable[[], Any], key: tuple[Any, ...], storable: bool) -> Any:
    import nutpie
    import pytensor

    model = build()
    # Without it, sums are reordered by where arrays happen to lie: other draws for the same seed.
    in_order = pytensor.config.change_flags(numba__fastmath=False)
    with in_order, quick_reading(), warnings.catch_warnings():
        # numba warns about functions of nutpie that it cannot cache; users cannot act on that.
        warnings.simplefilter("ignore")
        sampler = nutpie.compile_pymc_model(
            model, var_names=[v.name for v in model.free_RVs], jitter_rvs=set()
        )
    # Chains start at the same points whether the sampler was compiled or read.
    sampler = replace(sampler, initial_point_func=Centred(sampler.initial_point_func(0)))
    packed = pack_sampler(sampler) if storable else None
    if packed is None:
        return sampler
    # Use the code that other processes will read, so that the same seed gives the same draws.
    unpacked = unpack_sampler(packed)
    if unpacked is None:
        return sampler
    file = _file(key)
    if file is not None:
        write_sampler(file, packed)
    return unpacked
