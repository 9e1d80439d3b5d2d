"""Turn the results of train.py on the plan of variants.py into one study folder a variant.

    uv run python build_variants.py RESULTS... FOLDER

Each RESULTS is a curves.parquet, as in build_studies.py. FOLDER gets variant_NAME/. Every study is
read back.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from build_studies import as_row, read_results, study_toml, write_study
from variant_kinds import STACKS, VARIANTS
from variants import VariantRecipe, all_recipes, splits

from bayescpt.data import read_study


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", type=Path, nargs="+", help="curves.parquet of train.py")
    parser.add_argument("folder", type=Path, help="folder that gets the studies")
    options = parser.parse_args()
    curves, recipes = read_results(options.results), all_recipes()
    total = 0
    for name in VARIANTS:
        folder = options.folder / f"variant_{name}"
        if not build(curves, name, recipes, folder):
            print(f"{folder.name}: no complete run")
            continue
        study = read_study(folder)
        total += (size_of := sum(path.stat().st_size for path in folder.iterdir()))
        print(f"{study}: {splits()[name]}, {size_of:,} bytes")
    print(f"{total:,} bytes")


def build(curves: pd.DataFrame, name: str, recipes: list[VariantRecipe], folder: Path) -> bool:
    """Write the study of a variant; False if no run of it is complete.

    Parameters
    ----------
    curves : DataFrame
        From `read_results`.
    name : str
        Which variant.
    recipes : list of VariantRecipe
        All recipes.
    folder : path
        Folder to write; what it held is replaced.
    """
    spec = VARIANTS[name]
    stack = STACKS[spec.stack]
    curves = curves[curves["size"] == spec.stack]
    curves = curves[curves["domain"].isin(spec.sets)]
    curves = curves.assign(domain=curves["domain"].map(spec.names))
    sets = tuple(spec.names.values())
    own = with_trunks(
        {recipe.key: replace(recipe, sets=sets) for recipe in recipes if recipe.size == spec.stack}
    )
    trunk_ends = curves["key"].map({key: recipe.branch_step for key, recipe in own.items()})
    # What a branch shares with its trunk stands there only.
    curves = curves[(curves["step"] > trunk_ends) | (trunk_ends == 0)]
    runs = [r for r in own.values() if r.variant == name and r.phase == "cpt"]
    about = study_toml(folder.name, spec.names[spec.general], notes_of(name))

    def row(recipe: VariantRecipe) -> dict[str, Any]:
        known = replace(recipe, domain=recipe.domain and spec.names[recipe.domain])
        return fill(known)

    fill = partial(
        as_row,
        base_split=splits()[name],
        n_params=stack.model.n_params,
        tokens_per_step=stack.tokens_per_step,
    )
    return write_study(curves, own, runs, row, about, folder)


def with_trunks(recipes: dict[str, VariantRecipe]) -> dict[str, VariantRecipe]:
    """Recipes in which bases of one seed that begin alike are branches of the first of them.

    They were trained apart, with the same losses to the last digit up to there.

    Parameters
    ----------
    recipes : dict of str to VariantRecipe
        All recipes of a stack, by key.
    """
    found = dict(recipes)
    roots: dict[tuple[str, int], VariantRecipe] = {}
    for key, recipe in recipes.items():
        if recipe.phase != "pt" or recipe.branch_of:
            continue
        trunk = roots.setdefault((recipe.group, recipe.seed), recipe)
        if trunk is not recipe and (common := common_steps(trunk, recipe)):
            found[key] = replace(recipe, branch_of=trunk.run, branch_step=common)
    return found


def common_steps(one: VariantRecipe, other: VariantRecipe) -> int:
    """Steps from the first in which two recipes have the same learning rates."""
    rates = one.lr().lr, other.lr().lr
    shortest = min(map(len, rates))
    differ = np.flatnonzero(rates[0][:shortest] != rates[1][:shortest])
    return int(differ[0]) if differ.size else shortest


def notes_of(name: str) -> str:
    """What study.toml says about a variant."""
    spec, stack = VARIANTS[name], STACKS[VARIANTS[name].stack]
    uses = {"fit": "fitting", "choose": "choosing", "test": "one look at the end"}
    return (
        f"Real curves of a {stack.model.n_params:,}-parameter decoder (without embeddings). "
        f"{spec.about[0].upper()}{spec.about[1:]}. Target: {spec.names[spec.target]}. Validation "
        f"losses on fixed sets of 33,792 tokens; {stack.tokens_per_step:,} tokens a step in "
        f"sequences of {stack.sequence}. Made by case_studies/make_study; the whole study is for "
        f"{uses[splits()[name]]}."
    )


if __name__ == "__main__":
    main()
