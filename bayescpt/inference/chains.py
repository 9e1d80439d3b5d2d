"""Sample chains, each by itself: finished ones can be kept, and a signal ends all at once."""

from __future__ import annotations

import io
import json
import threading
import time
import warnings
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from bayescpt.errors import FitError
from bayescpt.inference.progress import Callback
from bayescpt.work import Work, digest

if TYPE_CHECKING:
    from bayescpt.data import Study

# Seconds between two looks at whether chains have ended.
_LOOK = 0.02
# What damaged or foreign bytes raise in NumPy's reader.
_UNREADABLE = (EOFError, KeyError, OSError, TypeError, ValueError)
# Statistics of a chain, by nutpie's names.
STATISTICS = ("diverging", "energy", "maxdepth_reached", "n_steps", "depth", "step_size", "logp")

Chain = tuple[xr.Dataset, xr.Dataset]


def chain_seed(seed: int, chain: int) -> int:
    """Seed of a chain, whatever the number of chains and the order in which they are sampled.

    Parameters
    ----------
    seed : int
        Seed of the fit.
    chain : int
        Number of the chain, from 0.

    Returns
    -------
    int
        Below 2^31.
    """
    return int(np.random.SeedSequence([seed, chain]).generate_state(1)[0] >> 1)


def sample_chains(
    sampler: Any,
    seed: int,
    chains: int,
    cores: int,
    settings: Mapping[str, Any],
    callback: Callback | None = None,
    work: Work | None = None,
    name: str = "chain",
) -> Chain:
    """Sample chains, or take those that are kept.

    If one fails, or the process is interrupted, all end at once.

    Parameters
    ----------
    sampler : nutpie CompiledPyMCModel
        Sampler with its data and start.
    seed : int
        Seed of the fit.
    chains, cores : int
        Number of chains, and of those sampled at a time.
    settings : Mapping
        Arguments of ``nutpie.sample``, such as ``draws`` and ``tune``.
    callback : callable, optional
        Called with the progress of all chains.
    work : Work, optional
        Where finished chains are kept.
    name : str
        Name of the kept chains, to which their numbers are added.

    Returns
    -------
    posterior, sample_stats : Dataset
        Dims chain, draw and those of the model.

    Raises
    ------
    FitError
        If sampling fails.
    """
    names = [f"{name}-{number}" for number in range(chains)]
    done = {k: kept for k, one in enumerate(names) if (kept := _read(work, one)) is not None}
    waiting = [k for k in range(chains) if k not in done]
    total = settings["draws"] + settings["tune"]
    report = _Report(chains, total, done, callback)
    running: dict[int, Any] = {}
    try:
        while waiting or running:
            while waiting and len(running) < cores:
                k = waiting.pop(0)
                running[k] = _start(sampler, chain_seed(seed, k), settings, report.of(k))
            time.sleep(_LOOK)
            for k in [k for k, one in running.items() if _has_ended(one)]:
                done[k] = _ended(running.pop(k), settings["draws"])
                if work is not None:
                    work.write(names[k], _packed(done[k]))
    finally:
        for one in running.values():
            one.cancel()
    parts = [done[k] for k in range(chains)]
    posterior, stats = (xr.concat(group, dim="chain") for group in zip(*parts, strict=True))
    number = {"chain": np.arange(chains)}
    return posterior.assign_coords(number), stats.assign_coords(number)


def labelled(
    posterior: xr.Dataset, stats: xr.Dataset, coords: Mapping[str, Sequence[str]]
) -> Chain:
    """Chains with the study's labels, and statistics with ArviZ's names.

    Parameters
    ----------
    posterior, stats : Dataset
        Output of `sample_chains`.
    coords : Mapping of str to sequence of str
        Labels by dimension; entries beyond them, of a padded model, are dropped.

    Returns
    -------
    posterior, sample_stats : Dataset
    """
    for dim, names in coords.items():
        if dim in posterior.dims:
            posterior = posterior.isel({dim: slice(len(names))}).assign_coords({dim: list(names)})
    # ArviZ uses another name for this statistic than nutpie.
    return posterior, stats.rename({"maxdepth_reached": "reached_max_treedepth"})


def fit_work(folder: str | Path, study: Study, card: Any, settings: Mapping[str, Any]) -> Work:
    """Work folder of a fit.

    Parameters
    ----------
    folder : str or Path
        The folder.
    study : Study
        The study.
    card : Card or FinalCard
        The card.
    settings : Mapping
        What else the draws depend on.

    Returns
    -------
    Work
    """
    about = {"study": study.digest, "card": digest(card), "nutpie": version("nutpie")}
    return Work(folder, {"fit": study.name, **about, **settings})


class _Report:
    """Progress of all chains, from callbacks of each."""

    def __init__(
        self, chains: int, total: int, done: Mapping[int, Any], callback: Callback | None
    ) -> None:
        self._callback, self._lock = callback, threading.Lock()
        self._chains = [
            SimpleNamespace(
                finished_draws=total if k in done else 0,
                total_draws=total,
                divergences=int(done[k][1]["diverging"].sum()) if k in done else 0,
                tuning=k not in done,
            )
            for k in range(chains)
        ]

    def of(self, number: int) -> Callback | None:
        """Callback of one chain; None if nobody listens."""
        listen = self._callback
        if listen is None:
            return None

        def _update(chain: Any) -> None:
            with self._lock:
                self._chains[number] = chain[0]
                listen(self._chains)

        return _update


def _start(sampler: Any, seed: int, settings: Mapping[str, Any], callback: Any) -> Any:
    """Begin a chain in the background."""
    import nutpie

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return nutpie.sample(
            sampler,
            seed=seed,
            chains=1,
            cores=1,
            blocking=False,
            progress_bar=False,
            progress_callback=callback,
            save_warmup=False,
            **settings,
        )


def _has_ended(running: Any) -> bool:
    try:
        return bool(running.is_finished)
    except TimeoutError:
        # So says nutpie that a chain is under way.
        return False
    except (RuntimeError, ValueError) as error:
        raise _failed(error) from error


def _ended(running: Any, draws: int) -> Chain:
    """Draws and statistics of a chain that has ended."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            trace = running.wait()
    except (RuntimeError, ValueError) as error:
        raise _failed(error) from error
    posterior, stats = trace["posterior"].to_dataset(), trace["sample_stats"].to_dataset()
    if posterior.sizes.get("draw") != draws:
        raise FitError(f"sampling failed: a chain ended after {posterior.sizes.get('draw')} draws")
    stats = stats[[one for one in STATISTICS if one in stats]]
    return posterior.drop_attrs(deep=False), stats.drop_attrs(deep=False)


def _failed(error: Exception) -> FitError:
    """The sampler's error without its machine-level trace."""
    reason = str(error).partition("Stack backtrace")[0].strip()
    return FitError(
        f"sampling failed: {reason}. Compare the priors with the data: "
        "build_model(study, card) returns the PyMC model"
    )


def _packed(chain: Chain) -> bytes:
    """A chain as bytes: NumPy's format, and text for names and dims."""
    about: list[dict[str, Any]] = []
    arrays: dict[str, Any] = {}
    for place, data in enumerate(chain):
        about.append(
            {
                "dims": {str(name): data[name].dims for name in data.data_vars},
                "coords": {
                    str(name): data[name].values.tolist() for name in data.coords if name != "draw"
                },
            }
        )
        arrays |= {f"{place}/{name}": data[name].values for name in data.data_vars}
    text = np.frombuffer(json.dumps(about).encode(), dtype=np.uint8)
    out = io.BytesIO()
    np.savez(out, about=text, **arrays)
    return out.getvalue()


def _read(work: Work | None, name: str) -> Chain | None:
    """A kept chain, or None."""
    stored = None if work is None else work.read(name)
    if stored is None:
        return None
    try:
        with np.load(io.BytesIO(stored), allow_pickle=False) as arrays:
            about = json.loads(arrays["about"].tobytes())
            parts = []
            for place, part in enumerate(about):
                variables = {
                    one: (dims, arrays[f"{place}/{one}"]) for one, dims in part["dims"].items()
                }
                data = xr.Dataset(variables, coords=part["coords"])
                parts.append(data.assign_coords(draw=np.arange(data.sizes["draw"])))
    except _UNREADABLE:
        return None
    return parts[0], parts[1]
