"""The formats that are damaged: sound files of each, and what reading them gives."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import xarray as xr

import bayescpt as bc
from bayescpt.cli.import_logs import read_map
from bayescpt.data import Study
from bayescpt.data.readers.assemble import assemble
from bayescpt.data.readers.run_table import read_run_table
from bayescpt.errors import FitError, MissingExtraError
from bayescpt.evaluate import simulate_study
from bayescpt.forecast.plan_file import read_plans
from bayescpt.inference import Fit, load_fit, stored
from bayescpt.inference.compile import compiled_sampler, pad, structure
from bayescpt.inference.final_fit import FinalFit, add_final_symbols
from bayescpt.inference.idata import prior_draws
from bayescpt.model.card_file import load_card
from bayescpt.model.final_card import load_final_card
from bayescpt.model.final_rows import make_final_rows
from bayescpt.model.folder import cards_folder
from bayescpt.model.rows import make_rows
from tests.faults.mutate import BYTES, TEXT, Mutation
from tests.faults.tables import change_fit, change_table

LOGS = Path(__file__).parents[1] / "data" / "readers" / "samples"


@dataclass(frozen=True)
class Format:
    """Files of a format in a folder, and how they are read.

    `write` fills an empty folder, `load` gives the fingerprint of what was read. With a digest, a
    file that was damaged must be refused or give the same. `content` are mutations that leave the
    file sound as a file and its digest right: they may load.
    """

    write: Callable[[Path], None]
    load: Callable[[Path], str]
    kinds: tuple[dict[str, Mutation], ...]
    digest: bool = False
    # Whether a refusal names the file or its folder.
    named: bool = True
    content: Callable[[Random, Path], None] | None = None


def fingerprint(*parts: Any) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def small_study() -> Study:
    """A study with an out-of-domain set and a run in flight, of a few hundred bytes a table."""
    made = simulate_study(
        replays=(0.0, 0.25), cpt_schedules=("wsd",), eval_every=60, pt_eval_every=100,
        pt_steps=400, cpt_steps=120, peak_lr=2e-3, memory=20.0,
    )  # fmt: skip
    return made.study


# studies


def _write_tables(folder: Path, kind: str) -> None:
    study = small_study()
    bc.data.write_study(study, folder / "study")
    frames = {"runs": study.runs, "curves": study.curves, "lrs": bc.data.io._lrs_frame(study)}
    for name, frame in frames.items():
        for old in folder.joinpath("study").glob(f"{name}.*"):
            old.unlink()
        if kind == "csv":
            frame.to_csv(folder / "study" / f"{name}.csv", index=False)
            # The table of runs that an import takes.
            study.runs.to_csv(folder / "study" / "import.csv", index=False)
        else:
            frame.to_parquet(folder / "study" / f"{name}.parquet", index=False)


def _write_final_tables(folder: Path) -> None:
    """A published table of final losses, without schedules."""
    study = bc.load_example("ibrahim_405m_german")
    bc.data.write_study(study, folder / "study")


def _load_study(folder: Path) -> str:
    study = bc.read_study(folder / "study")
    found = [finding.text for finding in study.findings()]
    return fingerprint(study.digest, study.to_json(), found)


def _load_csv(folder: Path) -> str:
    table = read_run_table(folder / "study" / "import.csv")
    return fingerprint(_load_study(folder), table.to_csv())


# TOML


def _write_toml(folder: Path) -> None:
    bc.data.write_study(small_study(), folder / "study")
    (folder / "study" / "study.toml").write_text(
        '[study]\nname = "pilots"\ngeneral = "general"\nloss_unit = "bit/token"\n'
        'notes = "made in November"\nallow_mixed = ["n_params"]\n'
        "[study.bytes_per_token]\ngeneral = 4.1\ntarget = 3.7\n"
    )
    (folder / "goal.toml").write_text(
        '[goal]\ngeneral = "+2%"\ntarget = 2.9\ncode = "bpb:0.61"\nmath = "+0.05"\n'
    )
    (folder / "space.toml").write_text(
        '[space]\nschedule = ["wsd", "cosine"]\nlr = { low = 1e-4, high = 1e-3 }\n'
        "num_training_steps = 500\nnum_warmup_steps = 20\ndecay_share = 0.2\n"
        'replay_ratio = [0.1, 0.3]\nstart = "pt"\ndomain = "target"\n'
    )
    (folder / "map.toml").write_text('[columns]\n"it" = "step"\n"held.out" = "eval:german"\n')


def _load_toml(folder: Path) -> str:
    space = bc.read_space(folder / "space.toml")
    return fingerprint(
        _load_study(folder),
        sorted(bc.read_goal(folder / "goal.toml").thresholds.items()),
        [(axis.name, axis.low, axis.high, axis.values) for axis in space.axes],
        read_map(folder / "map.toml"),
    )


# cards and plans


def _write_cards(folder: Path) -> None:
    for name in ("cpt_replay", "annealing"):
        shutil.copy(cards_folder() / f"{name}.toml", folder)
    (folder / "mine.toml").write_text(
        'name = "mine"\ndescription = "Priors of our own."\n[law]\nshift = "power"\n'
        'replay = "memory"\n[rows]\nlevel_sd = 0.03\n[noise]\nfamily = "student_t"\nar1 = true\n'
        '[priors]\nsigma = {dist = "LogNormal", mu = -4.6, sigma = 0.5, reason = "seeds"}\n'
    )


def _load_cards(folder: Path) -> str:
    return fingerprint(*(load_card(path).to_dict() for path in sorted(folder.glob("*.toml"))))


_PLANS = """\
[[plan]]
name = "wsd_r30"
schedule = "wsd"
lr = 2e-3
num_training_steps = 100
num_warmup_steps = 10
decay_share = 0.2
replay_ratio = [[0, 0.1], [50, 0.5]]
start = "pt"

[[plan]]
name = "as_logged"
lr = [1e-3, 1e-3, 5e-4]
replay_ratio = 0.25
start = "pt"
domain = "target"

[[plan]]
name = "pieces"
schedule = "piecewise"
pieces = [[10, "linear", 0.0, 1e-3], [20, "constant", 1e-3, 1e-3]]
replay_ratio = 0.1
start = "pt"
"""


def _write_plans(folder: Path) -> None:
    (folder / "plans.toml").write_text(_PLANS)
    (folder / "study.json").write_text(small_study().to_json())


def _load_plans(folder: Path) -> str:
    study = Study.from_json((folder / "study.json").read_text())
    plans = read_plans(folder / "plans.toml", study, load_card("cpt_replay"))
    about = [(p.name, p.schedule.lr.tobytes(), repr(p.replay_ratio), p.start) for p in plans]
    return fingerprint(about, [plan.domain for plan in plans])


# fits


def prior_fit(draws: int = 150) -> Fit:
    """A fit whose draws are those of the prior: nothing need be compiled or sampled."""
    study, card = small_study(), load_card("cpt_replay")
    rows = make_rows(study, card)
    rng = np.random.default_rng(1)
    posterior = prior_draws(card, rows, rng, draws)
    return Fit(card, study, rows, posterior, _stats(draws), 1).with_discrepancy()


def _stats(draws: int) -> xr.Dataset:
    """What a sampler records, in numbers of no meaning."""
    energy = np.random.default_rng(2).random((1, draws))
    stats = xr.Dataset(
        {"energy": (("chain", "draw"), energy), "diverging": (("chain", "draw"), energy > 0.9)},
        {"chain": [0], "draw": range(draws)},
    )
    stats["reached_max_treedepth"] = ~stats["diverging"]
    return stats


def _load_fit(folder: Path) -> str:
    fit = load_fit(folder / "fit.nc")
    arrays = [
        (name, values.dims, values.dtype.str, values.to_numpy().tobytes(), sorted(values.attrs))
        for group in (fit.posterior, fit.sample_stats)
        for name, values in sorted(group.variables.items())
        if values.dtype.kind != "O"
    ]
    labels = [list(map(str, fit.posterior[dim].to_numpy())) for dim in sorted(fit.posterior.dims)]
    refs = fit.rows.references if isinstance(fit, FinalFit) else dict(fit.rows.refs.points)
    about = json.dumps([fit.card.to_dict(), refs, fit.seed])
    checks = [check.to_dict() for check in fit.checks()]
    return fingerprint(arrays, labels, about, checks, fit.study.to_json())


# final losses


def final_fit(study: Study | None = None, name: str = "dcpt", draws: int = 100) -> FinalFit:
    """A fit of final losses, of a published table by default, whose draws are of the prior."""
    study, card = study or bc.load_example("ibrahim_405m_german"), load_final_card(name)
    rows, rng = make_final_rows(study, card), np.random.default_rng(1)
    coords = {dim: names for dim, names in rows.labels.coords().items() if names}
    coords |= {"chain": [0], "draw": list(range(draws))}
    values = {}
    for parameter in card.parameters():
        dims = ("chain", "draw", *parameter.dims)
        drawn = card.priors[parameter.name].draw(rng, tuple(len(coords[dim]) for dim in dims))
        values[parameter.name] = (dims, drawn, {"sampled": 1})
    if rows.has_bases:
        dims = ("chain", "draw", "base", "set")
        drawn = rng.standard_normal(tuple(len(coords[dim]) for dim in dims))
        values["base_unit"] = (dims, drawn, {"sampled": 1})
    posterior = add_final_symbols(xr.Dataset(values, coords), rows, card)
    return FinalFit(card, study, rows, posterior, _stats(draws), 1)


def _write_final(folder: Path) -> None:
    final_fit().save(folder / "fit.nc")


# compiled samplers


def _write_sampler(folder: Path) -> None:
    study, card = small_study(), load_card("cpt_replay")
    rows = pad(make_rows(study, card), card)
    compiled_sampler(rows, card)
    file = stored.sampler_file(structure(rows, card))
    assert file is not None, "BAYESCPT_CACHE must name a folder that only you can write"
    shutil.copy(file, folder / "a.sampler")


def _load_sampler(folder: Path) -> str:
    sampler = stored.read_sampler(folder / "a.sampler")
    if sampler is None:
        raise FitError(f"{folder}: no sampler; it is compiled again")
    density = stored.log_density(sampler)(sampler.initial_point_func(1))
    return fingerprint(density[0], density[1].tolist(), sampler.n_dim, sorted(sampler.shapes))


# training logs


def _write_logs(folder: Path) -> None:
    for file in sorted(LOGS.rglob("*")):
        if file.is_file() and file.stat().st_size < 100_000:
            target = folder / file.relative_to(LOGS)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, target)


def _load_logs(folder: Path) -> str:
    """Only the changed file is there: see `tests.faults.worker`."""
    try:
        made = assemble([folder])
    except MissingExtraError:
        return "a package is missing"
    shown = made.preview()
    return fingerprint(shown.to_json(), made.complete and made.study().to_json())


FORMATS: dict[str, Format] = {
    "csv": Format(lambda folder: _write_tables(folder, "csv"), _load_csv, (BYTES, TEXT)),
    "parquet": Format(
        lambda folder: _write_tables(folder, "parquet"),
        _load_study,
        (BYTES, {"change_table": change_table}),
    ),
    "toml": Format(_write_toml, _load_toml, (BYTES, TEXT)),
    "cards": Format(_write_cards, _load_cards, (BYTES, TEXT)),
    "plans": Format(_write_plans, _load_plans, (BYTES, TEXT)),
    "fit": Format(
        lambda folder: prior_fit().save(folder / "fit.nc") and None,
        _load_fit,
        (BYTES,),
        digest=True,
        content=lambda rng, folder: change_fit(rng, folder / "fit.nc"),
    ),
    "final": Format(
        _write_final,
        _load_fit,
        (BYTES,),
        digest=True,
        content=lambda rng, folder: change_fit(rng, folder / "fit.nc"),
    ),
    "final_csv": Format(_write_final_tables, _load_study, (BYTES, TEXT)),
    "cache": Format(_write_sampler, _load_sampler, (BYTES,), digest=True),
    "logs": Format(_write_logs, _load_logs, (BYTES, TEXT), named=False),
}
