"""Turn the results of train.py into one study folder for each target and size.

    uv run python build_studies.py RESULTS... FOLDER

Each RESULTS is a curves.parquet (several if training took several calls; the first that has a run
counts). FOLDER gets fleet_TARGET_SIZE/ with study.toml, runs.csv, curves.parquet and, for schedules
that have no name and for replay that varies, lrs.parquet. Every study is read back.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from recipes import GENERAL, SIZES, TARGETS, TEST_SIZE, TEST_TARGETS, Recipe, all_recipes

from bayescpt.data import read_study
from bayescpt.files import write_files

TOKENS_PER_STEP = 2_048
UNNAMED = ("piecewise",)  # its arguments do not fit into a cell of runs.csv
DECIMALS = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", type=Path, nargs="+", help="curves.parquet of train.py")
    parser.add_argument("folder", type=Path, help="folder that gets the studies")
    options = parser.parse_args()
    curves = read_results(options.results)
    total = 0
    for target in TARGETS:
        for size in SIZES:
            folder = options.folder / f"fleet_{target}_{size}"
            if not build(curves, target, size, all_recipes(), folder):
                print(f"{folder.name}: no complete run")
                continue
            study = read_study(folder)
            total += (size_of := sum(path.stat().st_size for path in folder.iterdir()))
            splits = study.runs.loc[study.runs["phase"] == "cpt", "split"].value_counts()
            print(f"{study}: {dict(splits)}, {size_of:,} bytes")
    print(f"{total:,} bytes")


def read_results(paths: list[Path]) -> pd.DataFrame:
    """Curves of all results: size, key, step, domain, loss; each run from one result only."""
    parts: list[pd.DataFrame] = []
    for path in paths:
        part = pd.read_parquet(path)
        if parts:
            known = pd.MultiIndex.from_frame(pd.concat(parts)[["size", "key"]].drop_duplicates())
            part = part[~pd.MultiIndex.from_frame(part[["size", "key"]]).isin(known)]
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def build(
    curves: pd.DataFrame, target: str, size: str, recipes: list[Recipe], folder: Path
) -> bool:
    """Write the study of a target and a size; False if no run of it is complete.

    Parameters
    ----------
    curves : DataFrame
        From `read_results`.
    target, size : str
        Which study.
    recipes : list of Recipe
        All recipes.
    folder : path
        Folder to write; what it held is replaced.
    """
    own = {recipe.key: recipe for recipe in recipes if recipe.size == size}
    runs = [recipe for recipe in own.values() if recipe.domain == target]
    about = study_toml(folder.name, GENERAL, notes_of(target, size))
    test = target in TEST_TARGETS or size == TEST_SIZE
    row = partial(
        as_row,
        base_split="test" if test else "fit",
        n_params=SIZES[size].n_params,
        tokens_per_step=TOKENS_PER_STEP,
    )
    return write_study(curves[curves["size"] == size], own, runs, row, about, folder)


def write_study(
    curves: pd.DataFrame,
    own: Mapping[str, Recipe],
    runs: list[Recipe],
    row: Callable[[Recipe], dict[str, Any]],
    about: str,
    folder: Path,
) -> bool:
    """Write a study of those runs that are complete; False if there is none.

    Parameters
    ----------
    curves : DataFrame
        Curves of the runs that trained in one stack.
    own : mapping of str to Recipe
        Those runs, by key: bases and runs of this and of other studies.
    runs : list of Recipe
        Continual pre-training of this study.
    row : callable
        Makes a run's row of runs.csv.
    about : str
        The text of study.toml.
    folder : path
        Folder to write; what it held is replaced.
    """
    curves = curves[np.isfinite(curves["loss"])]
    last = curves.groupby("key")["step"].max().to_dict()
    whole = {key for key, recipe in own.items() if last.get(key) == recipe.lr().n_steps}
    runs = [recipe for recipe in runs if recipe.key in whole and ancestors(recipe, own) <= whole]
    if not runs:
        return False
    needed = set().union(*(ancestors(recipe, own) for recipe in runs))
    bases = [recipe for key, recipe in own.items() if key in needed]
    table = pd.DataFrame([row(recipe) for recipe in (*bases, *runs)])
    rows = curve_rows(curves, [*bases, *runs], runs[0].sets)
    writers = {
        "study.toml": partial(Path.write_text, data=about, encoding="utf-8"),
        "runs.csv": partial(table.to_csv, index=False),
        "curves.parquet": partial(write_compact, rows),
    }
    parts = [lr_rows(recipe) for recipe in runs if not is_named(recipe)]
    if parts:
        rates = pd.concat(parts, ignore_index=True)
        writers["lrs.parquet"] = partial(write_compact, rates)
    write_files(folder, writers)
    for path in folder.iterdir():
        if path.name not in writers:
            path.unlink()
    return True


def ancestors(recipe: Recipe, recipes: Mapping[str, Recipe]) -> set[str]:
    """Keys of the bases that a run starts from or branches off, and of theirs."""
    return set(recipe.origins).union(*(ancestors(recipes[key], recipes) for key in recipe.origins))


def is_named(recipe: Recipe) -> bool:
    """Whether runs.csv says all of a run's schedule and replay."""
    return recipe.schedule not in UNNAMED and isinstance(recipe.replay, float)


def as_row(recipe: Recipe, base_split: str, n_params: int, tokens_per_step: int) -> dict[str, Any]:
    """A run's row of runs.csv; `base_split` is the split of bases."""
    cpt = recipe.phase == "cpt"
    named = is_named(recipe)
    return {
        "run": recipe.run,
        "phase": recipe.phase,
        "parent": recipe.parent,
        "domain": recipe.domain,
        "replay_ratio": recipe.replay if cpt and isinstance(recipe.replay, float) else None,
        "steps": recipe.lr().n_steps,
        "branch_of": recipe.branch_of,
        "branch_step": recipe.branch_step or None,
        "seed": recipe.seed,
        "n_params": n_params,
        "tokens_per_step": tokens_per_step,
        "schedule": recipe.schedule if named else None,
        "schedule_params": params_text(recipe.params) if named else None,
        "peak_lr": recipe.lr().peak_lr,
        "optimizer_state": recipe.state if cpt else None,
        "kind": recipe.kind,
        "split": recipe.split if cpt else base_split,
    }


def params_text(params: dict[str, Any]) -> str:
    """Arguments of a schedule as a cell of runs.csv."""
    return ";".join(f"{name}={value}" for name, value in params.items())


def curve_rows(curves: pd.DataFrame, recipes: list[Recipe], sets: tuple[str, ...]) -> pd.DataFrame:
    """The measured losses of some runs on some sets."""
    names = {recipe.key: recipe.run for recipe in recipes}
    rows = curves[curves["key"].isin(list(names)) & curves["domain"].isin(list(sets))]
    rows = rows.assign(run=rows["key"].map(names), loss=rows["loss"].astype(float).round(DECIMALS))
    order = {recipe.run: place for place, recipe in enumerate(recipes)}
    rows = rows.assign(place=rows["run"].map(order)).sort_values(["place", "domain", "step"])
    return rows[["run", "step", "domain", "loss"]]


def lr_rows(recipe: Recipe) -> pd.DataFrame:
    """Learning rates of a run and, in a curriculum, its replay ratios."""
    lr = recipe.lr().lr
    replay = np.nan if isinstance(recipe.replay, float) else recipe.replays()
    steps = np.arange(1, lr.size + 1)
    return pd.DataFrame({"run": recipe.run, "step": steps, "lr": lr, "replay": replay})


def write_compact(frame: pd.DataFrame, path: Path) -> None:
    """Write a table with the bytes of floats split, which compresses several times better."""
    floats = {name: "BYTE_STREAM_SPLIT" for name in frame.select_dtypes("float").columns}
    frame.to_parquet(
        path,
        index=False,
        compression="zstd",
        use_dictionary=[name for name in ("run", "domain") if name in frame],
        column_encoding={"step": "DELTA_BINARY_PACKED", **floats},
    )


def study_toml(name: str, general: str, notes: str) -> str:
    """The text of study.toml."""
    fields = {"name": name, "general": general, "loss_unit": "nat/token", "notes": notes}
    lines = [f"{key} = {json.dumps(text)}" for key, text in fields.items()]
    return "\n".join(["[study]", *lines, ""])


def notes_of(target: str, size: str) -> str:
    """What study.toml says about a study of the fleet."""
    n_params = SIZES[size].n_params
    return (
        f"Real curves of a {n_params:,}-parameter decoder (without embeddings): English "
        f"technical prose, then {target}. Validation losses on fixed sets of 33,792 tokens; 2,048 "
        "tokens a step. Made by case_studies/make_study; the column split of runs.csv says which "
        "runs are for fitting, for choosing and for one look at the end."
    )


if __name__ == "__main__":
    main()
